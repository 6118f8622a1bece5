// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import ArgumentParser

/// Where a publisher meets its subscribers: at a relay that it connects to, or at an address of its own.
struct DestinationOptions: ParsableArguments {
    @Argument(
        help: ArgumentHelp("The relay to connect to, for example moqt://relay.example:4433.", valueName: "url"),
        transform: { try EndpointURL(parsing: $0) }
    )
    var url: EndpointURL?

    @Option(
        help: ArgumentHelp(
            "Serve subscribers directly at this address instead of connecting to a relay.",
            valueName: "host:port"
        ),
        transform: { try ListenAddress(parsing: $0) }
    )
    var listen: ListenAddress?

    @OptionGroup(title: "Trusting the relay")
    var trust: ClientTrustOptions

    @OptionGroup(title: "Serving directly")
    var identity: ServerIdentityOptions

    func validate() throws {
        switch (self.url, self.listen) {
        case (nil, nil):
            throw ValidationError("name a relay, such as moqt://relay.example:4433, or listen with --listen HOST:PORT")
        case (.some, .some):
            throw ValidationError("a relay's URL and --listen exclude each other")
        case (.some, nil):
            guard !self.identity.isGiven else {
                throw ValidationError("--cert, --key, --self-signed and --secrets are for --listen")
            }
        case (nil, .some):
            try self.identity.validateForListening()
        }
    }
}
