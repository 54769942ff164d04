"""What the managers' page shows, as typed answers: no web framework in here, no words for people, no HTML.

Everything hangs on one `Reports` (edgebox/reports/reports.py), made of the engine:

| what | call | gives |
|---|---|---|
| Today | `await reports.today()` | `Today`: the shop's day, `Sums`, claims by state, redeemed, visits, last receipts |
| charts | `await reports.chart(Span.WEEK, date)` | `Chart`: `Bar`s of hours or days, in the shop's zone |
| what is wrong | `await reports.troubles()` | `Trouble`s, worst first: part, state, `what`/`todo` keys, values |
| search | `await reports.search(Wanted(...))` | `Found`: rows, `next` (keyset, "" at the end), `is_whole` |
| one receipt | `await reports.receipt(session, document)` | `Whole`: record, claim, offers, redeemed, corrections |
| drawn paper | `await reports.paper(session, document)` | `Sheet` (paper_view.py): rows of runs, slips with a QR path |
| reasons | `reasons.explain(record, corrections)` | `Reason`s: key and values |
| correct | `await reports.correct(session, document, amount_minor, who, reason)` | `Corrected` |
| teach | `await reports.lesson(name, taps)`, `await reports.learn(lesson, who)` | `Lesson`, the profile's name |
| Z-check | `await reports.z_checks()` | `ZCheck`s, newest first |
| desk | `await reports.redemptions(before)`, `.shift_tally()`, `.conflicts()` | ledger rows, a `Tally` |
| staff | `await reports.staff(days)` | `Signal`s, each with its numbers |
| paper cost | `await reports.paper_cost("2026-11")` | `PaperReport` (edgebox/paper_report.py) |
| sync | `await reports.sync()` | `SyncState`: backlog, oldest unsent, refused, given up |
| disk | `await reports.disk()` | `DiskState`: room, written a day, papers |
| audit | `await reports.audit(who, what, since, until, before)` | `AuditPage` |
| visits | `await reports.visits(before)` | newest first |

Amounts are minor units of the shop's currency; times seconds since 1970; texts that came off a paper are data and must
be escaped. Each question takes ≤ 10 ms with 100,000 receipts (`python -m tests.bench pages`), and runs in the store's
thread between two commits, so no receipt waits for it. `EdgeboxError`s have a `reason` and a `hint`.
"""
