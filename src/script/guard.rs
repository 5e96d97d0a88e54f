//! Puts checks around the expressions of which Rhai copies the value without telling.
//!
//! Rhai tells when a variable is read (see `reading`), but not when it copies `this`, a variable of
//! a module, or a part of what a function returned. Each expression of this kind is put into an
//! expression of our own, which `guarded` evaluates after a check.

use std::collections::BTreeSet;

use rhai::{
    AST, ASTFlags, ASTNode, CustomExpr, Dynamic, Expr, FlowControl, FnCallExpr, Module,
    ScriptFuncDef, Shared, Stmt, StmtBlock,
};

use super::chains;
use super::checks::{self, When};
use super::compared::{self, Cases};
use super::copies::{self, Copies};
use super::places::Place;

/// Returns the source with its checks; `None` if it needs none.
pub(super) fn guarded(ast: &AST) -> Option<AST> {
    let mut guard = Guard {
        functions: ast.iter_functions().map(|function| function.name.to_owned()).collect(),
        count: 0,
    };
    let mut statements = ast.statements().to_vec();
    for statement in &mut statements {
        guard.top(statement);
    }
    let mut functions = Module::new();
    for function in ast.iter_fn_def() {
        functions.set_script_fn(guard.function(function));
    }
    let source = ast.source().unwrap_or_default();
    (guard.count > 0).then(|| AST::new_with_source(statements, functions, source))
}

/// Returns the statements of a function. Rhai shows them only to a walk through a source.
fn statements(function: &Shared<ScriptFuncDef>) -> Vec<Stmt> {
    let mut module = Module::new();
    module.set_script_fn(Shared::clone(function));
    let mut statements = Vec::new();
    AST::new_from_module(module).walk(&mut |path| {
        if let [ASTNode::Stmt(statement)] = path {
            statements.push((*statement).clone());
        }
        true
    });
    statements
}

/// Whether an operand is a value that an expression has made, and not that of a variable.
fn is_made(operand: &Expr) -> bool {
    match operand {
        Expr::FnCall(call, _) => !call.is_operator_call() || call.name == "+",
        Expr::Dot(..) | Expr::Index(..) => true,
        _ => false,
    }
}

fn is_range(index: &Expr) -> bool {
    match index {
        Expr::FnCall(call, _) => ["..", "..="].contains(&call.name.as_str()),
        // The optimizer makes a constant of a range of constants.
        Expr::DynamicConstant(..) => true,
        _ => false,
    }
}

struct Guard {
    /// The functions that the source defines. Rhai hands them copies of their arguments.
    functions: BTreeSet<String>,
    /// How many expressions have a check.
    count: usize,
}

impl Guard {
    fn check(&mut self, expression: &mut Expr, when: When, copies: Option<Copies>) {
        self.put(expression, when, copies.map_or(Dynamic::UNIT, Dynamic::from));
    }

    fn put(&mut self, expression: &mut Expr, when: When, state: Dynamic) {
        self.count += 1;
        let place = expression.position();
        let custom = CustomExpr {
            inputs: [std::mem::take(expression)].into_iter().collect(),
            tokens: [when.name().into()].into_iter().collect(),
            state,
            scope_may_be_changed: false,
            self_terminated: false,
        };
        *expression = Expr::Custom(Box::new(custom), place);
    }

    fn function(&mut self, function: &Shared<ScriptFuncDef>) -> Shared<ScriptFuncDef> {
        let before = self.count;
        let mut statements = statements(function);
        for statement in &mut statements {
            self.statement(statement);
        }
        if self.count == before {
            return Shared::clone(function);
        }
        checks::with_body(function, statements).into()
    }

    /// Goes through a statement of the source itself.
    fn top(&mut self, statement: &mut Stmt) {
        self.statement(statement);
        // Rhai keeps a copy of each constant, which functions read as `global::NAME`.
        if let Stmt::Var(parts, flags, _) = statement
            && flags.contains(ASTFlags::CONSTANT)
            && !self.functions.is_empty()
            && !parts.1.is_constant()
        {
            self.check(&mut parts.1, When::After, Some(Copies::Whole));
        }
    }

    fn block(&mut self, block: &mut StmtBlock) {
        block.statements_mut().iter_mut().for_each(|statement| self.statement(statement));
    }

    fn flow(&mut self, flow: &mut FlowControl) {
        self.value(&mut flow.expr);
        self.block(&mut flow.body);
        self.block(&mut flow.branch);
    }

    fn statement(&mut self, statement: &mut Stmt) {
        match statement {
            Stmt::If(flow, _)
            | Stmt::While(flow, _)
            | Stmt::Do(flow, ..)
            | Stmt::TryCatch(flow, _) => self.flow(flow),
            Stmt::For(parts, _) => self.flow(&mut parts.2),
            Stmt::Switch(parts, _) => {
                self.value(&mut parts.0);
                if !parts.0.is_constant() {
                    let cases = Dynamic::from(Shared::new(Cases::of(&parts.1)));
                    self.put(&mut parts.0, When::Hashed, cases);
                }
                for case in &mut parts.1.expressions {
                    self.value(&mut case.lhs);
                    self.value(&mut case.rhs);
                }
            }
            Stmt::Var(parts, ..) => self.value(&mut parts.1),
            Stmt::Assignment(parts) => {
                self.links(&mut parts.1.lhs);
                self.indices(&mut parts.1.lhs, true);
                if parts.0.is_op_assignment() {
                    self.operand(&mut parts.1.rhs);
                } else {
                    self.value(&mut parts.1.rhs);
                }
            }
            Stmt::FnCall(call, _) => self.call(call),
            Stmt::Block(block) => self.block(block),
            Stmt::Return(Some(thrown), flags, _) if flags.contains(ASTFlags::BREAK) => {
                self.value(thrown);
                // `catch (e)` copies what was thrown.
                if !thrown.is_constant() {
                    self.check(thrown, When::After, Some(Copies::Whole));
                }
            }
            Stmt::Expr(value)
            | Stmt::BreakLoop(Some(value), ..)
            | Stmt::Return(Some(value), ..) => {
                self.value(value);
            }
            Stmt::Import(parts, _) => self.value(&mut parts.0),
            _ => {}
        }
    }

    /// Goes through an expression of which the value is used. Rhai copies it if it is that of a
    /// variable or a part of another value.
    fn value(&mut self, value: &mut Expr) {
        match value {
            Expr::ThisPtr(_) => self.check(value, When::Before, Some(Copies::Whole)),
            Expr::Variable(variable, ..) if !variable.2.is_empty() => {
                self.check(value, When::Before, Some(Copies::Whole));
            }
            Expr::Dot(..) | Expr::Index(..) => self.chain(value),
            Expr::FnCall(call, _) => self.call(call),
            Expr::InterpolatedString(all, _) => all.iter_mut().for_each(|one| self.operand(one)),
            Expr::Array(all, _) => all.iter_mut().for_each(|one| self.value(one)),
            Expr::Map(entries, _) => entries.0.iter_mut().for_each(|one| self.value(&mut one.1)),
            Expr::And(all, _) | Expr::Or(all, _) | Expr::Coalesce(all, _) => {
                all.iter_mut().for_each(|one| self.value(one));
            }
            Expr::Stmt(block) => self.block(block),
            _ => {}
        }
    }

    /// Goes through an expression of which an operator or a function makes another value.
    fn operand(&mut self, operand: &mut Expr) {
        let is_made = is_made(operand);
        self.value(operand);
        if is_made {
            self.check(operand, When::After, None);
        }
    }

    fn call(&mut self, call: &mut FnCallExpr) {
        let is_operator = call.is_operator_call();
        let is_own = call.is_qualified() || self.functions.contains(call.name.as_str());
        let is_operand = call.name == "+" || !is_operator && !is_own;
        for (place, argument) in call.args.iter_mut().enumerate() {
            match argument {
                // Functions that no script defines get `this` without a copy.
                Expr::ThisPtr(_) if place == 0 && !is_operator && !is_own => {}
                _ if is_operand => self.operand(argument),
                _ => self.value(argument),
            }
        }
        if let Some((property, literal)) = compared::with_literal(call) {
            self.put(property, When::Compared, literal);
        }
        if compared::replace(call) {
            self.count += 1;
        }
    }

    fn chain(&mut self, chain: &mut Expr) {
        chains::split(chain);
        self.links(chain);
        self.indices(chain, false);
        let copies = copies::of_chain(chain);
        let (Expr::Dot(parts, ..) | Expr::Index(parts, ..)) = chain else { return };
        match &mut parts.lhs {
            Expr::ThisPtr(_) if copies.is_some() => self.check(chain, When::Before, copies),
            // Rhai copies the whole variable, and then a part of it.
            Expr::Variable(variable, ..) if !variable.2.is_empty() => {
                let copies = if copies.is_some() { Copies::Twice } else { Copies::Whole };
                self.check(chain, When::Before, Some(copies));
            }
            Expr::ThisPtr(_) | Expr::Variable(..) => {}
            made => {
                self.value(made);
                if copies.is_some() {
                    self.check(made, When::After, copies);
                }
            }
        }
    }

    /// Goes through the indices at which Rhai changes or cuts a text: the last one of a chain that
    /// is set, and those that are ranges.
    fn indices(&mut self, chain: &mut Expr, is_set: bool) {
        if !matches!(chain, Expr::Dot(..) | Expr::Index(..)) {
            return;
        }
        let (first, mut links) = chains::links(std::mem::take(chain));
        for at in 0..links.len() {
            let is_last = at + 1 == links.len();
            let goes_through = is_set && is_last || is_range(&links[at].part);
            if !links[at].is_dot
                && goes_through
                && let Some(place) = Place::of(&first, &links[..at])
            {
                self.put(&mut links[at].part, When::Indexed, Dynamic::from(place));
            }
        }
        *chain = chains::joined(first, links.into_iter());
    }

    /// Goes through the arguments and the indices in a chain.
    fn links(&mut self, chain: &mut Expr) {
        let is_dot = matches!(chain, Expr::Dot(..));
        let (Expr::Dot(parts, flags, _) | Expr::Index(parts, flags, _)) = chain else { return };
        let link = match &mut parts.rhs {
            next @ (Expr::Dot(..) | Expr::Index(..)) if !flags.contains(ASTFlags::BREAK) => {
                self.links(next);
                let (Expr::Dot(parts, ..) | Expr::Index(parts, ..)) = next else { return };
                &mut parts.lhs
            }
            last => last,
        };
        match link {
            Expr::MethodCall(call, _) if is_dot => {
                call.args.iter_mut().for_each(|argument| self.value(argument));
            }
            Expr::Property(..) if is_dot => {}
            index => self.value(index),
        }
    }
}

#[cfg(test)]
mod tests {
    use rhai::Engine;

    use super::*;

    fn checks(script: &str) -> usize {
        let ast = Engine::new().compile(script).unwrap();
        let mut count = 0;
        let walk = |path: &[ASTNode<'_>]| {
            count += usize::from(matches!(path.last(), Some(ASTNode::Expr(Expr::Custom(..)))));
            true
        };
        guarded(&ast).map(|ast| ast.walk(&mut { walk }));
        count
    }

    #[test]
    fn expressions_of_which_rhai_copies_the_value_get_a_check() {
        for (script, count) in [
            ("let t = 1; t; [t]; t.x; t[0]; f(t)", 0),
            ("f(); let x = f(); x.y = f(); 1 + 2 * 3", 0),
            ("m::X", 1),
            ("m::X.len() + 1", 2),
            ("f()[0]", 1),
            ("f().x.y", 1),
            ("f().len()", 0),
            ("t.f()[0]", 1),
            ("t.f()[g()]", 0),
            ("t?.f()[0]", 0),
            ("t.f().g()[0]", 2),
            ("t.f().len()", 0),
            ("f(g())", 1),
            ("a + b + c", 1),
            ("x += f()", 1),
            ("throw x; throw 1; return x", 1),
            ("`${f()}${1}`", 1),
            ("const X = f(); fn f() { 1 }", 1),
            ("if f()[0] { m::X } else { for x in m::X { switch m::X { 1 => m::X, _ => 2 } } }", 6),
            ("switch x { 1 => 2, _ => 3 } switch 1 { 1 => 2, _ => 3 }", 1),
            (
                "r.code == \"1\"; 1 < r.code; r.code == r.code; r.code == x; r.x.y == 1; f(r.code, 1)",
                3,
            ),
            ("#{a: m::X, b: [m::X, m::X ?? m::X]}; return m::X;", 5),
            ("t[0] = 1; t.x[i].y[-1] += 1; x = t[1..2]; t[..=i].len(); t.x = 1", 4),
            ("t[f()][0] = 1", 0),
        ] {
            assert_eq!(checks(script), count, "{script}");
        }
    }

    #[test]
    fn a_function_with_checks_has_another_body() {
        for body in [
            "this.push(this)",
            "let x = this; [x, #{a: this}]",
            "this.x",
            "g(this); this == 1",
            "h.call(|| this[0])",
        ] {
            assert!(checks(&format!("fn f() {{ {body} }} fn g(x) {{ x }}")) > 0, "{body}");
        }
        for body in ["this.len()", "this.x = 1", "push(this, 1)", "this += 1"] {
            assert_eq!(checks(&format!("fn f() {{ {body} }}")), 0, "{body}");
        }
    }

    #[test]
    fn a_source_with_checks_does_what_it_did_without() {
        for script in [
            "fn f() { [[1, 2], 3] } f()[0][1]",
            "fn f() { #{x: #{y: 5}} } let m = #{a: 1}; [f().x.y, f()?.x, m.a]",
            "fn f() { this.x += 1; let y = this; y.x = 9; return [this.x, y.x]; 7 } let m = #{x: 1}; m.f()",
            "fn f(n) { if n == 0 { return [] } let r = f(n - 1) + [n]; r } f(5)[2..4]",
            "let l = []; fn f(a, b) { [a, b] } for x in [1, 2] { l += f(x, l.len())[1] + f(2, 3)[0] } l",
            "const X = [1].map(|x| [x, 2])[0]; fn f() { global::X[1] + global::X.len() } f()",
            "let n = 1; let f = |x| x + n; n += [f.call(1)].map(|y| y * n)[0]; [n, f.call(2)]",
            "let a = [3, 1, 2]; a.sort(); a.filter(|x| x > 1)[0] + a.map(|x| x)[-1]",
            "fn f() { throw [1, 2] } try { f()[0] } catch (e) { e }",
            "let m = #{l: [[1], [2]]}; let i = 0; m.l.map(|x| x[i])[1]",
            "let s = \"abc\"; s[1] = 'x'; s[-1] = 'y'; s[0..=0] = \"zz\"; [s, s[1..], s[..2].len()]",
            "let m = #{t: [\"abc\"]}; let i = 0; m.t[i][1] = 'x'; m[\"t\"][-1][2] = 'y'; [m, m.t[i][0..2]]",
            "fn f() { this[0] = 'x'; this[1..2] } let s = \"abc\"; [s.f(), s]",
            "let l = [1, 2]; l[1] += 3; l[5] = 1",
            "let s = \"abc\"; let i = 0; [s[i..2], s[i] == 'a', s[9..12]]",
            "let s = \"abc\"; s.to_upper()[1] + `${s.to_upper()}${s + s + s}`",
            "fn f() { let c = || this; if this.len() > 1 { this[1] } else { () } } [1, 2].f() ?? 3",
            "let x = (); [x?.y.z(), x?.f()[0], x ?? [1][0]]",
            "[][0]",
            "fn f() { [] } f()[3]",
            "fn f() { #{} } f().missing",
            "fn f() { this.y } 1.f()",
        ] {
            let mut engine = Engine::new();
            engine.set_max_strings_interned(0).set_fail_on_invalid_map_property(true);
            engine.register_global_module(crate::script::bindings::vocabulary());
            crate::script::variables::watch(&mut engine, usize::MAX);
            let ast = engine.compile(script).unwrap();
            let own = guarded(&ast);
            let [with, without] = [own.as_ref().unwrap_or(&ast), &ast]
                .map(|ast| format!("{:?}", engine.eval_ast::<Dynamic>(ast)));
            assert_eq!(with, without, "{script}");
        }
    }
}
