//! Expecting replies, or pieces of a stream, in whatever order they come.

use bytes::Bytes;

use super::super::Session;
use super::super::call::Call;
use super::super::waiting::Wait;
use crate::assignment::Assignment;
use crate::error::{Error, Result};
use crate::pattern::{Found, Match, Pattern, Progress, Search};
use crate::reply::Reply;

impl Session {
    pub(super) async fn replies_in_any_order(
        &mut self,
        patterns: Vec<Result<Pattern>>,
        call: Call,
    ) -> Result<Vec<Reply>> {
        let wait = self.begin(&call, "expect_unordered")?;
        let patterns = patterns
            .into_iter()
            .map(|pattern| self.pattern(pattern?))
            .collect::<Result<Vec<_>>>()?;
        if patterns.is_empty() {
            return Err(Error::usage("no pattern to expect").hint("give at least one"));
        }
        if self.is_framed() {
            return self.replies_for(&patterns, wait).await;
        }
        self.pieces_for(&patterns, wait).await
    }

    /// Takes a piece of the stream for each pattern. A piece ends with the next match of a pattern
    /// that can still be assigned a piece.
    async fn pieces_for(&mut self, patterns: &[Pattern], wait: Wait) -> Result<Vec<Reply>> {
        let mut assignment = Assignment::new(patterns.len());
        let mut taken: Vec<(Reply, usize)> = Vec::new();
        while taken.len() < patterns.len() {
            let open = assignment.open();
            let any = Pattern::any(open.iter().map(|place| patterns[*place].clone()))?;
            let reply = self.search_stream(&any, wait, true).await?;
            let found = open[reply.index()];
            let mut fits = vec![found];
            for (place, pattern) in patterns.iter().enumerate() {
                if place != found && found_in(reply.bytes(), pattern).await?.is_some() {
                    fits.push(place);
                }
            }
            assignment.add(fits);
            taken.push((reply, found));
        }
        let served = assignment.served_by().iter().flatten().zip(patterns).enumerate();
        let mut replies = Vec::new();
        for (place, (reply, pattern)) in served {
            replies.push(match &taken[*reply] {
                (reply, found) if *found == place => reply.clone(),
                (reply, _) => {
                    found_in(reply.bytes(), pattern).await?.unwrap_or_else(|| reply.clone())
                }
            });
        }
        Ok(replies)
    }

    /// Takes a reply for each pattern. Which reply counts for which pattern is decided after all
    /// have come.
    async fn replies_for(&mut self, patterns: &[Pattern], wait: Wait) -> Result<Vec<Reply>> {
        let mut assignment = Assignment::new(patterns.len());
        let mut taken: Vec<Bytes> = Vec::new();
        while taken.len() < patterns.len() {
            let any = Pattern::any(assignment.unserved().map(|place| patterns[place].clone()))?;
            let reply = self.next_reply(&any, wait).await?;
            let mut fits = Vec::new();
            for (place, pattern) in patterns.iter().enumerate() {
                if self.matched_in_time(&reply, pattern, wait).await?.is_some() {
                    fits.push(place);
                }
            }
            if !assignment.add(fits) {
                let found = self.matched_in_time(&reply, &any, wait).await?;
                self.judge(reply, found, &any, wait)?;
                continue;
            }
            if patterns.iter().any(Pattern::has_enhanced) {
                self.check_enhanced(&reply, &any, wait)?;
            }
            self.turn.expected();
            taken.push(reply);
        }
        let served = assignment.served_by().iter().zip(patterns);
        let mut replies = Vec::new();
        for (reply, pattern) in served {
            let Some(reply) = reply.and_then(|reply| taken.get(reply)) else { continue };
            if let Some(found) = self.matched_in_time(reply, pattern, wait).await? {
                replies.push(Reply::whole(reply.clone(), found).after(wait.started.elapsed()));
            }
        }
        Ok(replies)
    }
}

/// Matches a pattern in a piece of a stream. The pattern must not see the end of the piece as the
/// end of the stream. The script's deadline is looked at in between.
async fn found_in(piece: &[u8], pattern: &Pattern) -> Result<Option<Reply>> {
    if pattern.eof_index().is_some() {
        return Ok(None);
    }
    let mut search = Search::new(pattern)?;
    let found = loop {
        match search.advance_a_while(piece, false)? {
            Some(Progress::Found(found)) => break Some(found),
            Some(_) => break search.settle(piece),
            None => tokio::task::yield_now().await,
        }
    };
    Ok(found.map(|Found { range, index, captures, .. }| {
        Reply::new(Bytes::copy_from_slice(piece), range, Match { index, captures })
    }))
}
