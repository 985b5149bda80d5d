//! What a bank or a clerk says of a payment, made fit to be kept and shown.

use crate::domain::claim::Payee;
use crate::domain::identity::mask_name;
use crate::domain::statistics::half_width;

/// A run of so many digits may be a number of an account or of a person.
const TELLING_DIGITS: usize = 6;

/// A bank's words without what is personal: the payee's name is masked, and runs of digits that may be a
/// number of an account or of a person. Reasons are kept and shown in the clear.
pub(super) fn without_personal_data(words: &str, payee: &Payee) -> String {
    let words = half_width(words);
    let hidden = mask_name(&payee.name);
    let words = words.replace(&half_width(&payee.name), &hidden);
    let squeezed = |text: &str| text.split_whitespace().collect::<String>();
    if squeezed(&words).contains(&squeezed(&payee.name)) {
        // The name is there, with spaces in other places.
        return "(not shown / 不显示)".to_owned();
    }
    let mut kept = String::with_capacity(words.len());
    let mut run = String::new();
    for character in words.chars().chain(['\n']) {
        let digit = character.is_ascii_digit();
        if digit || (!run.is_empty() && matches!(character, ' ' | '-' | '*')) {
            run.push(character);
            continue;
        }
        let digits = run.chars().filter(char::is_ascii_digit).count();
        if digits >= TELLING_DIGITS {
            kept.push_str("****");
        } else {
            kept.push_str(&run);
        }
        run.clear();
        kept.push(character);
    }
    kept.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_bank_are_kept_without_what_is_personal() {
        let payee = Payee {
            name: "张三丰".to_owned(),
            account: "6222021234567890123".to_owned(),
            ..Payee::default()
        };
        for (words, kept) in [
            ("户名与账号不符", "户名与账号不符"),
            ("户名张三丰与账号不符", "户名张**与账号不符"),
            ("账号6222021234567890123不存在", "账号****不存在"),
            ("账号 6222 0212 3456 7890 123 不存在", "账号 ****不存在"),
            ("６２２２０２１２３４５６ 有误", "****有误"),
            ("代码 4051", "代码 4051"),
            ("户名 张 三丰 有误", "(not shown / 不显示)"),
        ] {
            assert_eq!(without_personal_data(words, &payee), kept, "{words}");
        }
    }
}
