//! Which columns a file may have, what they may be called, and where its header is.

use super::{Row, Sheet, letters};
use crate::domain::error::Faults;
use crate::domain::error::Violation;
use crate::domain::statistics::half_width;

/// A column and every heading it goes by, its own name first.
pub(super) struct Column {
    names: &'static [&'static str],
    need: Need,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    Required,
    Optional,
    /// Recognised so that it is no error, and not read.
    Ignored,
    /// Read as the column of that name where a file has none; else not read.
    StandsIn(&'static str),
}

const fn column(need: Need, names: &'static [&'static str]) -> Column {
    Column { names, need }
}

/// The columns of one kind of file.
pub(super) struct Layout {
    columns: &'static [Column],
    /// Whether another's program writes such files: columns that are not known are passed over, and
    /// errors do not repeat what stands in cells and headings, which may be personal data.
    foreign: bool,
}

/// Observations, one a row.
pub(super) const OBSERVATIONS: Layout = Layout {
    columns: &[
        column(
            Need::Required,
            &["region", "地区", "地区代码", "行政区划", "行政区划代码", "county"],
        ),
        column(Need::StandsIn("region"), &["region_name", "地区名称"]),
        column(Need::Required, &["indicator", "指标", "指标代码", "指标名称"]),
        column(Need::Required, &["year", "年份", "年度"]),
        column(Need::Required, &["value", "数值", "数据", "指标值"]),
        column(Need::Optional, &["unit", "单位", "计量单位"]),
        column(Need::Required, &["source", "来源", "数据来源"]),
        column(Need::Ignored, &["note", "备注"]),
    ],
    foreign: false,
};

/// Regions, one a row.
pub(super) const REGIONS: Layout = Layout {
    columns: &[
        column(
            Need::Required,
            &["code", "代码", "地区代码", "行政区划代码", "区划代码"],
        ),
        column(Need::Required, &["name_zh", "名称", "中文名称", "地区名称"]),
        column(Need::Optional, &["name_en", "英文名称"]),
        column(Need::Required, &["kind", "类型", "类别", "地区类型"]),
        column(
            Need::Optional,
            &["parent", "上级", "上级代码", "上级地区", "上级地区代码"],
        ),
        column(Need::Optional, &["note", "备注"]),
    ],
    foreign: false,
};

/// Indicators, one a row.
pub(super) const INDICATORS: Layout = Layout {
    columns: &[
        column(Need::Required, &["code", "代码", "指标代码"]),
        column(Need::Required, &["name_zh", "名称", "中文名称", "指标名称"]),
        column(Need::Required, &["name_en", "英文名称"]),
        column(Need::Required, &["unit", "单位", "计量单位"]),
        column(Need::Required, &["decimals", "小数位", "小数位数"]),
        column(Need::Optional, &["minimum", "最小值"]),
        column(Need::Optional, &["maximum", "最大值"]),
        column(Need::Optional, &["description", "说明", "描述"]),
    ],
    foreign: false,
};

/// What the tables that offices keep may be.
pub(super) const CATALOG: &[&Layout] = &[&OBSERVATIONS, &REGIONS, &INDICATORS, &QUOTA];

/// What became of payments, one a row, as a bank tells it.
pub(super) const PAYMENT_RESULTS: Layout = Layout {
    columns: &[
        column(
            Need::Required,
            &["reference", "业务参考号", "参考号", "客户参考号", "业务编号"],
        ),
        column(
            Need::Required,
            &["amount", "金额", "交易金额", "付款金额", "金额(元)"],
        ),
        column(
            Need::Required,
            &[
                "status",
                "状态",
                "结果",
                "处理结果",
                "处理状态",
                "交易状态",
                "交易结果",
            ],
        ),
        column(
            Need::Optional,
            &["reason_code", "失败代码", "错误代码", "错误码", "返回码"],
        ),
        column(
            Need::Optional,
            &["reason", "失败原因", "原因", "错误信息", "返回信息"],
        ),
        column(
            Need::Optional,
            &["transaction", "交易流水号", "流水号", "银行流水号"],
        ),
        column(
            Need::Optional,
            &["date", "交易日期", "付款日期", "入账日期", "处理日期"],
        ),
    ],
    foreign: true,
};

/// Quota to assign to programmes, a line each.
pub(super) const QUOTA: Layout = Layout {
    columns: &[
        column(
            Need::Required,
            &["region", "地区", "地区代码", "行政区划", "行政区划代码", "county"],
        ),
        column(Need::Ignored, &["region_name", "地区名称"]),
        column(Need::Required, &["programme", "项目", "项目代码"]),
        column(Need::Optional, &["payer", "资金来源", "资金级次"]),
        column(Need::Required, &["amount", "金额", "金额(元)"]),
        column(Need::Ignored, &["note", "备注"]),
    ],
    foreign: false,
};

/// Claims of one programme, one a row; the facts of the programme have columns of their own.
pub(super) const CLAIMS: Layout = Layout {
    columns: &[
        column(
            Need::Optional,
            &["region", "地区", "地区代码", "行政区划", "行政区划代码", "county"],
        ),
        column(Need::Ignored, &["region_name", "地区名称"]),
        column(Need::Required, &["name", "姓名", "申请人", "申请人姓名"]),
        column(
            Need::Required,
            &[
                "id_number",
                "身份证号",
                "公民身份号码",
                "身份证号码",
                "申请人身份证号",
            ],
        ),
        column(Need::Optional, &["phone", "电话", "联系电话", "手机号"]),
        column(Need::Optional, &["payee_name", "户名", "收款人", "收款户名"]),
        column(Need::Required, &["account", "账号", "收款账号", "银行账号"]),
        column(Need::Required, &["bank_name", "开户行", "开户银行"]),
        column(Need::Required, &["bank_code", "联行号", "支付系统行号"]),
        column(
            Need::Optional,
            &["home", "房屋编号", "不动产单元号", "合同备案号", "网签备案号"],
        ),
        column(Need::Optional, &["documents", "材料", "申请材料"]),
        column(
            Need::Optional,
            &["member1_name", "成员1姓名", "家庭成员1姓名", "家庭成员1"],
        ),
        column(
            Need::Optional,
            &["member1_id_number", "成员1身份证号", "家庭成员1身份证号"],
        ),
        column(
            Need::Optional,
            &["member2_name", "成员2姓名", "家庭成员2姓名", "家庭成员2"],
        ),
        column(
            Need::Optional,
            &["member2_id_number", "成员2身份证号", "家庭成员2身份证号"],
        ),
        column(
            Need::Optional,
            &["member3_name", "成员3姓名", "家庭成员3姓名", "家庭成员3"],
        ),
        column(
            Need::Optional,
            &["member3_id_number", "成员3身份证号", "家庭成员3身份证号"],
        ),
        column(
            Need::Optional,
            &["member4_name", "成员4姓名", "家庭成员4姓名", "家庭成员4"],
        ),
        column(
            Need::Optional,
            &["member4_id_number", "成员4身份证号", "家庭成员4身份证号"],
        ),
        column(
            Need::Optional,
            &["member5_name", "成员5姓名", "家庭成员5姓名", "家庭成员5"],
        ),
        column(
            Need::Optional,
            &["member5_id_number", "成员5身份证号", "家庭成员5身份证号"],
        ),
        column(
            Need::Optional,
            &["member6_name", "成员6姓名", "家庭成员6姓名", "家庭成员6"],
        ),
        column(
            Need::Optional,
            &["member6_id_number", "成员6身份证号", "家庭成员6身份证号"],
        ),
        column(Need::Ignored, &["number", "序号", "编号"]),
        column(Need::Ignored, &["note", "备注"]),
    ],
    foreign: true,
};

/// A heading as it is compared.
fn canonical(heading: &str) -> String {
    half_width(heading).trim().to_ascii_lowercase()
}

/// Which of the first rows is the header: the first that has every required column of some kind of
/// file; else, so that the error can name what is missing, the one with most known headings.
pub(super) fn header_position(rows: &[Row], layouts: &[&Layout]) -> Option<usize> {
    let complete = |(_, cells): &Row| layouts.iter().any(|layout| layout.is_complete(cells));
    let known = |(_, cells): &Row| {
        layouts
            .iter()
            .map(|layout| {
                cells
                    .iter()
                    .filter(|cell| layout.position(cell).is_some())
                    .count()
            })
            .max()
            .unwrap_or(0)
    };
    rows.iter().position(complete).or_else(|| {
        let mut best = (0, 1);
        for (position, row) in rows.iter().enumerate() {
            let count = known(row);
            if count > best.1 {
                best = (position, count);
            }
        }
        (!rows.is_empty()).then_some(best.0)
    })
}

impl Layout {
    /// Which column a heading names.
    fn position(&self, heading: &str) -> Option<usize> {
        let heading = canonical(heading);
        self.columns
            .iter()
            .position(|column| column.names.contains(&heading.as_str()))
    }

    /// Whether what stands in cells may be personal data.
    pub(super) fn is_foreign(&self) -> bool {
        self.foreign
    }

    /// Whether a heading is one of the layout's own.
    pub(super) fn knows(&self, heading: &str) -> bool {
        self.position(heading).is_some()
    }

    /// Whether the column under a heading is read.
    pub(super) fn reads(&self, heading: &str) -> bool {
        self.position(heading)
            .is_some_and(|position| self.columns[position].need != Need::Ignored)
    }

    fn is_complete(&self, header: &[String]) -> bool {
        let found: Vec<usize> = header
            .iter()
            .filter_map(|heading| self.position(heading))
            .collect();
        self.columns.iter().enumerate().all(|(position, column)| {
            let stand_in = self.stand_in(column);
            column.need != Need::Required
                || found.contains(&position)
                || stand_in.is_some_and(|position| found.contains(&position))
        })
    }

    /// Which column is read as that one where a file has only the former.
    fn stand_in(&self, column: &Column) -> Option<usize> {
        self.columns
            .iter()
            .position(|other| other.need == Need::StandsIn(column.names[0]))
    }

    /// Finds the columns in a header, or reports every heading that is missing, unknown or there twice.
    pub(super) fn find(&self, sheet: &Sheet) -> Result<Found<'_>, Vec<Violation>> {
        if sheet
            .header
            .iter()
            .all(|heading| self.position(heading).is_none())
        {
            return Err(vec![self.no_header(sheet)]);
        }
        let mut faults = Faults::default();
        let mut cells: Vec<Option<usize>> = vec![None; self.columns.len()];
        let field = |name: &str| format!("line {}, column {name}", sheet.header_line);
        for (at, heading) in sheet.header.iter().enumerate() {
            match self.position(heading) {
                Some(position) if cells[position].is_some() => faults.add(|| {
                    Violation::new(
                        field(heading.trim()),
                        format!("{} again", heading.trim()),
                        format!("one column for {}", self.columns[position].names.join(", ")),
                        format!("“{}”只能有一列", self.columns[position].names.join("、")),
                    )
                }),
                Some(position) => cells[position] = Some(at),
                None if self.foreign => {}
                None if heading.trim().is_empty() => {
                    let filled = |(_, row): &&Row| row.get(at).is_some_and(|cell| !cell.trim().is_empty());
                    if let Some((line, row)) = sheet.rows.iter().find(filled) {
                        faults.add(|| {
                            Violation::new(
                                format!("line {line}, column {}", letters(at)),
                                &row[at],
                                format!("a heading on line {} above the cell", sheet.header_line),
                                format!("第 {} 行须有该列的表头", sheet.header_line),
                            )
                        });
                    }
                }
                None => faults.add(|| {
                    Violation::new(
                        field(heading.trim()),
                        heading.trim(),
                        format!("one of {}", self.headings(", ")),
                        format!("下列之一:{}", self.headings("、")),
                    )
                }),
            }
        }
        for (position, column) in self.columns.iter().enumerate() {
            if let (None, Some(stand_in)) = (cells[position], self.stand_in(column)) {
                cells[position] = cells[stand_in];
            }
            if column.need == Need::Required && cells[position].is_none() {
                faults.add(|| {
                    Violation::new(
                        field(column.names[0]),
                        self.missing("no such column", " among ", sheet),
                        format!("a column with one of the headings {}", column.names.join(", ")),
                        format!("须有一列,表头为下列之一:{}", column.names.join("、")),
                    )
                });
            }
        }
        faults.finish()?;
        Ok(Found { layout: self, cells })
    }

    /// One fault for a file without any known heading, rather than one for each column.
    fn no_header(&self, sheet: &Sheet) -> Violation {
        let required: Vec<&Column> = (self.columns.iter())
            .filter(|column| column.need == Need::Required)
            .collect();
        let list = |separator: &str, name: fn(&Column) -> &str| {
            let names: Vec<&str> = required.iter().map(|column| name(column)).collect();
            names.join(separator)
        };
        Violation::new(
            format!("line {}", sheet.header_line),
            self.missing("no known heading", ": ", sheet),
            format!(
                "a header with the columns {}",
                list(", ", |column| column.names[0])
            ),
            format!(
                "须有表头,包含以下各列:{}",
                list("、", |column| column.names.get(1).unwrap_or(&column.names[0]))
            ),
        )
    }

    /// What was found instead of headings: those that there are, unless they may be a row of the body.
    fn missing(&self, what: &str, then: &str, sheet: &Sheet) -> String {
        if self.foreign {
            what.to_owned()
        } else {
            format!("{what}{then}{}", sheet.header.join(", "))
        }
    }

    fn headings(&self, separator: &str) -> String {
        self.columns
            .iter()
            .map(|column| column.names.join(separator))
            .collect::<Vec<_>>()
            .join(separator)
    }
}

/// Where the columns of a layout are in a sheet.
pub(super) struct Found<'l> {
    layout: &'l Layout,
    cells: Vec<Option<usize>>,
}

impl Found<'_> {
    /// The cell of a row in the column of that name; empty where the sheet has no such column.
    pub(super) fn cell<'r>(&self, row: &'r [String], name: &str) -> &'r str {
        self.layout
            .columns
            .iter()
            .position(|column| column.names[0] == name)
            .and_then(|position| self.cells[position])
            .and_then(|at| row.get(at))
            .map_or("", String::as_str)
    }
}
