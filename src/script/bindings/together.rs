//! Closures that run concurrently.
#![allow(
    clippy::needless_pass_by_value,
    reason = "Rhai's plugin macros hand arguments over by value"
)]

use rhai::plugin::{NativeCallContext, export_module};
use rhai::{Array, Dynamic, FnPtr};

use super::own::Captured;
use super::wait;
use crate::error::{Error, Result};
use crate::script::branch::Branch;
use crate::script::branches;
use crate::script::raise::{Raised, kind, raise};

pub(super) const INTRO: &str = "One script can hold several dialogues at once: both ends of a dialogue, a client that waits \
while another one delivers, two hundred logins. A branch runs until one of its words waits (`expect`, `connect`, \
`barrier()`); then another branch runs. Between two waits, no other branch runs, so branches may share lists and maps. But a \
loop that waits for a variable of another branch without such a word never ends. If two branches use a session at the same \
moment, that is an error of kind `busy`. The limits and the deadline are those of the whole script. The transcript shows the \
branches one after the other, up to each barrier, whichever was quicker. Sessions that a branch opens are named after it \
(`b2.s1`), and those of a branch within it after both (`b2.1.s1`).";

/// The most branches that run at once. Each has a stack of its own, so more would take too much
/// memory.
const MOST: usize = 1000;

fn functions(list: Array) -> Result<Vec<FnPtr>> {
    if list.len() > MOST {
        let error = Error::usage(format!("{} branches are too many", list.len()));
        return Err(error.hint(format!("at most {MOST} run at once")));
    }
    let function = |value: Dynamic| {
        let name = value.type_name();
        value.try_cast::<FnPtr>().ok_or_else(|| {
            Error::usage(format!("together cannot run a value of type {}", kind(name)))
                .hint("together([|| ..., || ...]) takes a list of closures without parameters")
        })
    };
    list.into_iter().map(function).collect()
}

#[export_module(manifest)]
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "the macro writes code of its own beside these"
)]
pub mod words {
    /// Runs closures concurrently and returns a list of their results. The first failure fails the
    /// script, with the number of its branch, and the other branches are stopped.
    ///
    /// ```rhai
    /// fn greeted(branch) {
    ///     let s = connect();
    ///     s.expect(220);
    ///     barrier();
    ///     s.quit();
    ///     branch
    /// }
    /// assert_eq(together([|| greeted(1), || greeted(2)]), [1, 2]);
    /// ```
    ///
    /// Both ends of a dialogue:
    ///
    /// ```rhai
    /// let l = listen("smtp");
    /// together([
    ///     || { let s = l.accept(); s.greet(220, "mx.example"); s.expect_quit(); },
    ///     || { let c = connect(l.url); c.expect(220); c.quit(); },
    /// ]);
    /// ```
    ///
    /// Ten clients, each with its number:
    ///
    /// ```rhai
    /// fn client(number) {
    ///     let s = connect();
    ///     s.expect(220);
    ///     s.ehlo(`client${number}.example`);
    ///     s.quit();
    /// }
    /// together((1..=10).map(|number| || client(number)));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn together(ctx: NativeCallContext, branches: Array) -> Result<Array, Raised> {
        let mut functions = functions(branches).map_err(|error| raise(&ctx, error))?;
        Captured::of_call(&ctx).give_copies(&ctx, &mut functions)?;
        branches::together(&ctx, functions)
    }

    /// Waits until all branches of `together` have called `barrier()`. If a branch ended before
    /// that, the other branches fail.
    ///
    /// ```rhai
    /// let order = [];
    /// together([
    ///     || { barrier(); order.push("second"); },
    ///     || { order.push("first"); barrier(); },
    /// ]);
    /// assert_eq(order, ["first", "second"]);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn barrier(ctx: NativeCallContext) -> Result<(), Raised> {
        let Some(branch) = Branch::current() else {
            let error = Error::usage("barrier() is for branches, and none is running");
            return Err(raise(&ctx, error.hint("branches are the closures of together([...])")));
        };
        wait(&ctx, branch.meet())?.map_err(|error| raise(&ctx, error))
    }
}
