//! Faults of the face `mcp-2025`: what goes wrong with the sessions that the Model Context Protocol had up to revision 2025-11-25.

use super::service::service_faults;

service_faults! {
    /// A rule about sessions of the Model Context Protocol (2025-11-25, transports and security best practices) that is broken.
    SessionFault as Session {
        Authenticates "session-authenticates" ["mcp.every-request", "mcp.tool-call-guarded", "mcp.challenge-scope", "mcp.stream-guarded", "mcp.session-end-guarded"] "A session that is open stands for the token it was opened with.";
        AnyUser "session-any-user" ["mcp.session-bound-to-user", "mcp.session-bound-to-user-stream", "mcp.session-end-guarded"] "Whose token comes along is not compared with whose session it is: its data go to whoever names it.";
        Shared "session-shared" ["mcp.session-bound-to-user", "mcp.session-bound-to-user-stream", "mcp.session-end-guarded"] "Everybody may use everybody's session, each with his own data.";
        Counts "session-counts" ["mcp.session-id-quality"] "Session identifiers count up.";
        Odd "session-id-odd" ["mcp.session-id-quality"] "Session identifiers have a space in them.";
        Immortal "session-immortal" ["mcp.ended-session"] "DELETE is answered with success and ends nothing.";
        Unknown "session-unknown-opened" ["mcp.stale-session", "mcp.ended-session"] "A session identifier that nobody knows opens a session of that name.";
        Unknown400 "session-unknown-400" ["mcp.stale-session", "mcp.ended-session"] "A session identifier that nobody knows is a bad request, so that clients do not begin anew.";
        StreamOpen "session-stream-open" ["mcp.stream-guarded"] "The stream of events needs a session and no token.";
        EndOpen "session-end-open" ["mcp.session-end-guarded"] "DELETE needs a session and no token.";
    }
}
