//! Functions on numbers that are not built into Rhai.
//!
//! Rhai's own packages define these functions for twelve types of numbers. That makes three hundred
//! functions, which each run would register first: a sixth of all work in a short run. Scripts have
//! only two types of numbers, so only the functions for these are defined here.

use rhai::plugin::{EvalAltResult, Position, export_module};
use rhai::{FLOAT, INT};

use super::raise::Raised;

fn arithmetic(problem: String) -> EvalAltResult {
    EvalAltResult::ErrorArithmetic(problem, Position::NONE)
}

fn overflow(x: INT) -> EvalAltResult {
    arithmetic(format!("Negation overflow: -{x}"))
}

#[export_module(manifest)]
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "the macro writes code of its own beside these"
)]
#[allow(clippy::cast_precision_loss, reason = "as Rhai compares them")]
pub(super) mod words {
    #[rhai_fn(name = "-", return_raw)]
    pub fn negative(x: INT) -> Result<INT, Raised> {
        x.checked_neg().ok_or_else(|| overflow(x).into())
    }

    #[rhai_fn(name = "-")]
    pub fn negative_float(x: FLOAT) -> FLOAT {
        -x
    }

    #[rhai_fn(name = "+")]
    pub fn positive(x: INT) -> INT {
        x
    }

    #[rhai_fn(name = "+")]
    pub fn positive_float(x: FLOAT) -> FLOAT {
        x
    }

    #[rhai_fn(name = "!")]
    pub fn not(x: bool) -> bool {
        !x
    }

    #[rhai_fn(return_raw)]
    pub fn abs(x: INT) -> Result<INT, Raised> {
        x.checked_abs().ok_or_else(|| overflow(x).into())
    }

    #[rhai_fn(name = "abs")]
    pub fn abs_float(x: FLOAT) -> FLOAT {
        x.abs()
    }

    pub fn sign(x: INT) -> INT {
        x.signum()
    }

    #[rhai_fn(name = "sign", return_raw)]
    pub fn sign_float(x: FLOAT) -> Result<INT, Raised> {
        let order = x.partial_cmp(&0.0).map(|order| order as INT);
        order.ok_or_else(|| arithmetic("Sign of NaN is undefined".into()).into())
    }

    #[rhai_fn(get = "is_zero", name = "is_zero")]
    pub fn is_zero(x: INT) -> bool {
        x == 0
    }

    #[rhai_fn(get = "is_zero", name = "is_zero")]
    pub fn is_zero_float(x: FLOAT) -> bool {
        x == 0.0
    }

    #[rhai_fn(get = "is_odd", name = "is_odd")]
    pub fn is_odd(x: INT) -> bool {
        x % 2 != 0
    }

    #[rhai_fn(get = "is_even", name = "is_even")]
    pub fn is_even(x: INT) -> bool {
        x % 2 == 0
    }

    pub fn max(x: INT, y: INT) -> INT {
        x.max(y)
    }

    #[rhai_fn(name = "max")]
    pub fn max_floats(x: FLOAT, y: FLOAT) -> FLOAT {
        if x >= y { x } else { y }
    }

    #[rhai_fn(name = "max")]
    pub fn max_integer_float(x: INT, y: FLOAT) -> FLOAT {
        max_floats(x as FLOAT, y)
    }

    #[rhai_fn(name = "max")]
    pub fn max_float_integer(x: FLOAT, y: INT) -> FLOAT {
        max_floats(x, y as FLOAT)
    }

    pub fn min(x: INT, y: INT) -> INT {
        x.min(y)
    }

    #[rhai_fn(name = "min")]
    pub fn min_floats(x: FLOAT, y: FLOAT) -> FLOAT {
        if x <= y { x } else { y }
    }

    #[rhai_fn(name = "min")]
    pub fn min_integer_float(x: INT, y: FLOAT) -> FLOAT {
        min_floats(x as FLOAT, y)
    }

    #[rhai_fn(name = "min")]
    pub fn min_float_integer(x: FLOAT, y: INT) -> FLOAT {
        min_floats(x, y as FLOAT)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use rhai::Engine;
    use rhai::packages::{Package as _, StandardPackage};

    use super::super::engine::engine;

    /// The types of numbers that no script can get.
    const OTHERS: [&str; 10] =
        ["i8", "i16", "i32", "i128", "u8", "u16", "u32", "u64", "u128", "f32"];

    /// Returns all functions that a script can call: their names and the types of their parameters.
    fn functions(engine: &Engine) -> BTreeSet<String> {
        let signatures = engine.gen_fn_signatures(true).into_iter();
        let calls = signatures
            .map(|signature| signature.split(" ->").next().map(str::to_owned).unwrap_or_default());
        let is_other = |call: &str| {
            call.split(|c: char| !c.is_alphanumeric()).any(|word| OTHERS.contains(&word))
        };
        calls.filter(|call| !is_other(call)).collect()
    }

    #[test]
    fn no_function_of_rhai_is_missing() {
        let mut rhai = Engine::new_raw();
        rhai.register_global_module(StandardPackage::new().as_shared_module());
        let (rhai, ours) = (functions(&rhai), functions(&engine(Arc::default())));
        assert!(rhai.contains("abs(x: i64)") && rhai.len() > 400);
        let missing: Vec<_> = rhai.into_iter().filter(|call| !ours.contains(call)).collect();
        assert_eq!(missing, [""; 0]);
    }

    #[test]
    fn numbers_are_as_in_rhai() {
        let ours = engine(Arc::default());
        let rhai = Engine::new();
        let operands = ["0", "1", "-2", "7", "0.0", "-1.5", "2.0", "i64::MIN", "nan"];
        let one = [
            "-x",
            "+x",
            "abs(x)",
            "sign(x)",
            "x.is_zero",
            "is_zero(x)",
            "x.is_odd",
            "x.is_even()",
            "!(x == x)",
        ];
        let two = [
            "max(x, y)",
            "min(x, y)",
            "x + y",
            "x < y",
            "x == y",
            "Fn(\"-\").call(x, y)",
            "x in [y]",
            "x & y",
        ];
        for (x, y) in operands.iter().flat_map(|x| operands.map(|y| (x, y))) {
            let known = "let nan = 0.0 / 0.0; let lowest = -0x7fffffffffffffff - 1;";
            for expression in one.iter().chain(&two) {
                let script = format!("{known} let x = {x}; let y = {y}; {expression}")
                    .replace("i64::MIN", "lowest");
                let say = |engine: &Engine| {
                    engine.eval::<rhai::Dynamic>(&script).map_or_else(
                        |error| {
                            error
                                .to_string()
                                .split(" (line")
                                .next()
                                .map(str::to_owned)
                                .unwrap_or_default()
                        },
                        |value| format!("{value:?}"),
                    )
                };
                assert_eq!(say(&ours), say(&rhai), "{script}");
            }
        }
    }
}
