// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

extension AuthorizationToken {
    /// Reads a token that fills the reader (draft-18 §10.2.2). Anything else is KEY_VALUE_FORMATTING_ERROR.
    init(filling reader: consuming WireReader) throws(MoQWireError) {
        var reader = reader
        guard let aliasType = reader.nextInteger() else {
            throw Self.malformed
        }
        switch aliasType {
        case 0:
            guard let alias = reader.nextInteger(), reader.isAtEnd else {
                throw Self.malformed
            }
            self = .delete(alias: alias)
        case 1:
            guard let alias = reader.nextInteger(), let type = reader.nextInteger() else {
                throw Self.malformed
            }
            self = .register(alias: alias, type: type, value: reader.readRest())
        case 2:
            guard let alias = reader.nextInteger(), reader.isAtEnd else {
                throw Self.malformed
            }
            self = .useAlias(alias)
        case 3:
            guard let type = reader.nextInteger() else {
                throw Self.malformed
            }
            self = .useValue(type: type, value: reader.readRest())
        default:
            throw Self.malformed
        }
    }

    private static var malformed: MoQWireError {
        .malformedValue("an authorization token cannot be read")
    }

    /// The bytes of the token, without a length.
    func encoded(integers: IntegerCoding) throws(MoQWireError) -> [UInt8] {
        var writer = WireWriter(integers: integers)
        switch self {
        case .delete(let alias):
            try writer.write(integer: 0)
            try writer.write(integer: alias)
        case .register(let alias, let type, let value):
            try writer.write(integer: 1)
            try writer.write(integer: alias)
            try writer.write(integer: type)
            writer.write(bytes: value)
        case .useAlias(let alias):
            try writer.write(integer: 2)
            try writer.write(integer: alias)
        case .useValue(let type, let value):
            try writer.write(integer: 3)
            try writer.write(integer: type)
            writer.write(bytes: value)
        }
        return writer.bytes
    }
}
