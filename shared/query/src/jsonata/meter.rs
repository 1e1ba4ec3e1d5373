//! Functions whose cost the evaluator's step count does not show.
//!
//! One call of `$replace` can build gigabytes before its length is checked, every match of a
//! pattern walks the whole text again, `$distinct` compares each item with each, and folding
//! with `$append` copies the array anew for every item: each is a single step. An expression
//! that names one of them gets it behind a function of the same name and signature, which
//! first charges the work to [`Limits::work`](super::Limits::work). Ranges, and
//! arrays that are items of arrays, are charged likewise.

use std::fmt::Write as _;

use super::source::{LONGEST, WORK, WORK_LEFT};

/// The functions that are measured.
pub(super) const NAMES: [&str; 8] =
    ["append", "distinct", "match", "replace", "reverse", "shuffle", "sort", "split"];

/// The plain functions under the names that the definitions call them by: the alias, the
/// function, and the function that an error in it is shown as.
const ALIASES: [(&str, &str, &str); 10] = [
    ("append", "append", "append"),
    ("distinct", "distinct", "distinct"),
    ("match", "match", "match"),
    ("replace", "replace", "replace"),
    ("replace_match", "match", "replace"),
    ("replace_split", "split", "replace"),
    ("reverse", "reverse", "reverse"),
    ("shuffle", "shuffle", "shuffle"),
    ("sort", "sort", "sort"),
    ("split", "split", "split"),
];

/// Appends the definitions that the measured functions `names` need. Names of everything else
/// that is defined here begin with `spare`.
pub(super) fn define(out: &mut String, names: &[&'static str], arrays: bool, spare: &str) {
    if names.is_empty() && !arrays {
        return;
    }
    let mut text = String::new();
    // Writing to a String cannot fail.
    for (alias, function, _) in ALIASES {
        let _ = write!(text, "$~{alias}:=${function};");
    }
    let _ = write!(text, "$~find:=$lookup;$~charge:=function($n){{$~find($$,\"{WORK}\"&$n)}};");
    // As many matches as the budget can pay for, and one more, which it cannot.
    let _ = write!(
        text,
        "$~most:=function($str,$limit){{($k:=$floor($$.`{WORK_LEFT}`/($length($str)+1))+1;$limit<$k?$limit:$k)}};"
    );
    if arrays {
        let _ = write!(text, "$~type:=$type;$~count:=$count;$~range:={RANGE};$~item:={ITEM};");
    }
    for name in names {
        let _ = write!(text, "${name}:={};", definition(name));
    }
    out.push_str(&text.replace('~', spare).replace('@', LONGEST));
}

/// The message of an error with the names of the definitions taken back to those of the
/// functions they stand for.
pub(super) fn in_plain_names(message: String, spare: &str) -> String {
    if !message.contains(spare) {
        return message;
    }
    ALIASES.iter().fold(message, |message, (alias, _, shown)| {
        message.replace(&format!("function \"{spare}{alias}\""), &format!("function \"{shown}\""))
    })
}

/// The measured function; `~` stands for the spare prefix and `@` for the longest string.
fn definition(name: &str) -> &'static str {
    match name {
        "append" => {
            "function($arg1,$arg2)<xx:a>{($~charge(16*($count($arg1)+$count($arg2)));$~append($arg1,$arg2))}"
        }
        "distinct" => "function($arr)<x:x>{($n:=$count($arr);$~charge(4*$n*$n);$~distinct($arr))}",
        "reverse" => "function($arr)<a:a>{($~charge(600*$count($arr));$~reverse($arr))}",
        "shuffle" => "function($arr)<a:a>{($~charge(600*$count($arr));$~shuffle($arr))}",
        "sort" => {
            "function($arr,$swap)<af?:a>{(\
                $~charge(600*$count($arr));\
                $type($swap)=\"function\"?$~sort($arr,$swap):$~sort($arr))}"
        }
        "match" => {
            "function($str,$regex,$limit)<s-f<s:o>n?:a<o>>{(\
                $found:=$~match($str,$regex,$~most($str,$limit));\
                $~charge($count($found)*($length($str)+1));\
                $found)}"
        }
        "split" => {
            "function($str,$separator,$limit)<s-(sf)n?:a<s>>{\
                $type($separator)=\"function\"?(\
                    $parts:=$~split($str,$separator,$~most($str,$limit));\
                    $~charge(4*$count($parts)*($length($str)+1));\
                    $parts\
                ):$~split($str,$separator,$limit)}"
        }
        _ => REPLACE,
    }
}

/// The name of the function that a range `a..b` is rewritten to.
pub(super) fn range_function(spare: &str) -> String {
    format!("{spare}range")
}

/// The name of the function that an item of an array is passed through.
pub(super) fn item_function(spare: &str) -> String {
    format!("{spare}item")
}

/// An array that is an item of another is copied into it, in one step.
const ITEM: &str = "function($value){($~count($value)>100?$~charge(600*$~count($value));$value)}";

/// A range is one step however long it is, and an expression can keep many. A unit of work stands
/// for much less than an item, so that all ranges of an evaluation together hold some ten million.
/// One that is longer than that is refused by the evaluator itself, in the language's own words.
const RANGE: &str = "function($from,$to){(\
    $~type($from)=\"number\" and $~type($to)=\"number\" and $to>$from and $to-$from<1e7?\
        $~charge(600*($to-$from));\
    [$from..$to])}";

/// With a text as pattern and replacement, the length of the result is known beforehand: by a
/// rough bound in most cases, else by counting. With a regular expression it is bounded by the
/// matches and, where the replacement refers to groups, by what they can hold altogether; what
/// a function gives is charged as it comes. A result that is too long is never begun.
const REPLACE: &str = "function($str,$pattern,$replacement,$limit)<s-(sf)(sf)n?:s>{\
    $type($pattern)=\"function\"?(\
        $c:=$count($~replace_match($str,$pattern,$~most($str,$limit)));\
        $~charge(6*$c*($length($str)+1));\
        $type($replacement)=\"function\"?\
            $~replace($str,$pattern,function($m){($x:=$replacement($m);$~charge(4*$length($string($x)));$x)},$limit):(\
            $r:=$length($replacement);\
            $~charge(4*$r*($c+($contains($replacement,\"$\")?$length($str):0)));\
            $~replace($str,$pattern,$replacement,$limit))\
    ):($pattern!=\"\" and $type($replacement)=\"string\" and $exists($str)?(\
        $n:=$length($str);$p:=$length($pattern);$r:=$length($replacement);\
        $long:=$n+$n/$p*$r;\
        $long:=$long<=$$.`@`?$long:($c:=$count($~replace_split($str,$pattern))-1;$n+($limit<$c?$limit:$c)*($r-$p));\
        $~charge($long<=$$.`@`?4*$long:1e300));\
        $~replace($str,$pattern,$replacement,$limit))}";
