//! Chains of links, such as `.call()[0].x`.

use rhai::{ASTFlags, ASTNode, BinaryExpr, Expr, Position, Stmt};

use super::copies;

/// A link of a chain, with the operator before it.
pub(super) struct Link {
    pub(super) is_dot: bool,
    flags: ASTFlags,
    place: Position,
    /// A method with its arguments, a property, or an index.
    pub(super) part: Expr,
}

/// Splits a chain of which a method makes a value that the links after it copy: the chain up to the
/// method becomes the first expression of the others. A check can then be put around it.
pub(super) fn split(chain: &mut Expr) {
    let (first, links) = links(chain.clone());
    let is_split_at = |at: &usize| matches!(links[*at].part, Expr::MethodCall(..));
    let Some(at) = (0..links.len() - 1).rev().find(is_split_at) else { return };
    // `?.` and `?[` may end the whole chain. The arguments of all links are evaluated before the
    // chain, so those of the later ones must not depend on its methods, nor the other way round.
    let may_end = links[..=at].iter().any(|link| link.flags.contains(ASTFlags::NEGATED));
    if may_end || links[at + 1..].iter().any(|link| calls(&link.part)) {
        return;
    }
    let mut links = links.into_iter();
    let method = joined(first, links.by_ref().take(at + 1));
    let whole = joined(method, links);
    if copies::of_chain(&whole).is_some() {
        *chain = whole;
    }
}

/// Splits a chain into its first expression and its links.
pub(super) fn links(chain: Expr) -> (Expr, Vec<Link>) {
    let mut links = Vec::new();
    let mut first = Expr::default();
    let mut rest = chain;
    loop {
        let is_dot = matches!(rest, Expr::Dot(..));
        let (Expr::Dot(parts, flags, place) | Expr::Index(parts, flags, place)) = rest else {
            return (first, links);
        };
        let BinaryExpr { lhs, rhs } = *parts;
        match links.last_mut() {
            None => first = lhs,
            Some(before) => before.part = lhs,
        }
        let goes_on = matches!(rhs, Expr::Dot(..) | Expr::Index(..));
        let ends = !goes_on || flags.contains(ASTFlags::BREAK);
        if ends {
            links.push(Link { is_dot, flags, place, part: rhs });
            return (first, links);
        }
        links.push(Link { is_dot, flags, place, part: Expr::default() });
        rest = rhs;
    }
}

/// Makes a chain of its first expression and its links.
pub(super) fn joined(first: Expr, mut links: impl Iterator<Item = Link>) -> Expr {
    let Some(Link { is_dot, flags, place, part }) = links.next() else { return first };
    let is_chain = matches!(part, Expr::Dot(..) | Expr::Index(..));
    let rhs = if is_chain { part } else { joined(part, links) };
    let parts = Box::new(BinaryExpr { lhs: first, rhs });
    if is_dot { Expr::Dot(parts, flags, place) } else { Expr::Index(parts, flags, place) }
}

/// Whether a link calls functions, apart from operators, or changes variables.
fn calls(part: &Expr) -> bool {
    let mut calls = false;
    let own: *const Expr = part;
    part.walk(&mut Vec::new(), &mut |path| {
        calls |= match path.last() {
            Some(ASTNode::Expr(expression)) => match expression {
                Expr::MethodCall(..) => !std::ptr::eq(*expression, own),
                Expr::FnCall(call, _) => !call.is_operator_call() && call.name != "curry",
                Expr::Custom(..) => true,
                _ => false,
            },
            Some(ASTNode::Stmt(Stmt::Share(_) | Stmt::Expr(_))) | None => false,
            Some(_) => true,
        };
        !calls
    });
    calls
}
