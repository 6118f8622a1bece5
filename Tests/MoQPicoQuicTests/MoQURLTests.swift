// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQPicoQuic
import Testing

@Suite("MoQ URLs")
struct MoQURLTests {
    @Test(
        "Host, port, path and query are taken apart",
        arguments: [
            ("moqt://relay.example", "relay.example", 443, "/", nil, "relay.example"),
            ("moqt://relay.example:4433", "relay.example", 4433, "/", nil, "relay.example:4433"),
            ("MOQT://relay.example/", "relay.example", 443, "/", nil, "relay.example"),
            ("moqt://127.0.0.1:4433/live/a?x=1&y=2", "127.0.0.1", 4433, "/live/a", "x=1&y=2", "127.0.0.1:4433"),
            ("moqt://[::1]:4433/p", "::1", 4433, "/p", nil, "[::1]:4433"),
            ("moqt://[fe80::1%25eth0]", "fe80::1%25eth0", 443, "/", nil, "[fe80::1%25eth0]"),
            ("moqt://h?q", "h", 443, "/", "q", "h"),
            ("moqt://h:/p?", "h", 443, "/p", "", "h:"),
        ] as [(String, String, UInt16, String, String?, String)]
    )
    func good(
        _ text: String,
        _ host: String,
        _ port: UInt16,
        _ path: String,
        _ query: String?,
        _ authority: String
    ) throws {
        let url = try MoQURL(text)
        #expect(url.host == host)
        #expect(url.port == port)
        #expect(url.path == path)
        #expect(url.query == query)
        #expect(url.authority == authority)
        #expect(try MoQURL(url.description) == url)
    }

    @Test(
        "What is wrong with a URL is said in one line that quotes it",
        arguments: [
            ("", "moqt://"), ("relay.example:4433", "moqt://"), ("http://h", "moqt://"), ("https://h", "not supported"),
            ("moqt://", "no host"), ("moqt://:4433", "no host"), ("moqt:///path", "no host"),
            ("moqt://h:0", "not a port"), ("moqt://h:65536", "not a port"), ("moqt://h:4x", "not a port"),
            ("moqt://::1", "brackets"), ("moqt://[::1", "not closed"), ("moqt://[h]", "not an IPv6"),
            ("moqt://[::1]x", "cannot follow"), ("moqt://user@h", "user names"), ("moqt://h/a b", "space"),
            ("moqt://h/\u{e4}", "ASCII"), ("moqt://h/#f", "fragments"),
            ("moqt://" + String(repeating: "h", count: 9_000), "longer"),
        ] as [(String, String)]
    )
    func bad(_ text: String, _ hint: String) {
        let error = #expect(throws: MoQURL.ParseError.self) { try MoQURL(text) }
        #expect(error?.description.contains(hint) == true)
        #expect(error?.description.contains("\n") == false)
        #expect(error?.description.contains(text.prefix(100)) == true)
    }
}
