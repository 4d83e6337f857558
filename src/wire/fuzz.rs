//! Every decoder on arbitrary bytes: none panics, and what can be written comes back as it was.

use super::{
    AuthSwitch, BackendLeg, BadFrame, BulkExecute, Capabilities, ChangeUser, Changed, ClientLeg, ColumnDefinition,
    Command, Compression, ConnectionAttributes, EofPacket, ErrPacket, Execute, Extent, Greeting, HEADER_LEN,
    HandshakeResponse, Header, OkPacket, ParamType, PrepareOk, Query, Reader, ZstdLevel, decompress_anything,
    put_header, put_lenenc, put_lenenc_bytes, put_payload,
};

/// Takes eight bytes for what a decoder must be told, and the rest for a packet.
///
/// # Panics
/// If the code is wrong.
pub fn fuzz_packets(data: &[u8]) {
    let (told, payload) = data.split_at(data.len().min(8));
    let mut eight = [0; 8];
    eight[..told.len()].copy_from_slice(told);
    let capabilities = Capabilities(u64::from_le_bytes(eight));
    integers(payload);
    framing(data);
    answers(payload);
    greeting(payload, capabilities);
    handshake_response(payload, capabilities);
    change_user(payload, capabilities);
    commands(payload, u16::from_le_bytes([eight[0], eight[1] & 1]), eight[2], capabilities);
}

fn integers(payload: &[u8]) {
    let mut reader = Reader::new(payload, "integer");
    loop {
        let start = reader.offset();
        let Ok(value) = reader.lenenc() else { break };
        let mut encoded = Vec::new();
        put_lenenc(&mut encoded, value);
        assert!(encoded.len() <= reader.offset() - start, "an integer is written in its shortest form");
        assert_eq!(Reader::new(&encoded, "integer").lenenc(), Ok(value));
    }
    let mut reader = Reader::new(payload, "row");
    while let Ok(value) = reader.text_value() {
        let mut encoded = Vec::new();
        put_lenenc_bytes(&mut encoded, value.unwrap_or_default());
        assert_eq!(Reader::new(&encoded, "row").lenenc_bytes(), Ok(value.unwrap_or_default()));
    }
    let mut reader = Reader::new(payload, "string");
    while reader.nul_bytes().is_ok() {}
    reader.nul_or_rest();
    assert!(reader.is_empty() && reader.rest().is_empty());
}

fn framing(data: &[u8]) {
    if let Some(header) = Header::read(data) {
        let mut encoded = Vec::new();
        put_header(&mut encoded, header.len, header.seq);
        assert_eq!(encoded, data[..HEADER_LEN]);
    }
    let Some(extent) = Extent::find(data) else { return };
    let whole = &data[..extent.wire_len];
    for cut in [0, 1, HEADER_LEN - 1, whole.len() / 2, whole.len() - 1] {
        assert_eq!(Extent::find(&whole[..cut]), None, "a part of a payload is not taken for the whole");
    }
    assert_eq!(Extent::find(whole), Some(extent), "what follows a payload does not matter");
    let mut joined = Vec::new();
    let payload = extent.payload(data, &mut joined).to_vec();
    let mut encoded = Vec::new();
    let last = put_payload(&mut encoded, extent.first_seq, &payload);
    let again = Extent::find(&encoded).expect("complete");
    assert_eq!((again.last_seq, again.packet_count), (last, extent.packet_count));
    assert_eq!(again.payload(&encoded, &mut Vec::new()), payload);
}

fn answers(payload: &[u8]) {
    let mut encoded = Vec::new();
    if let Ok(err) = ErrPacket::decode(payload) {
        err.encode(&mut encoded);
        assert_eq!(encoded[1..], payload[1..]);
    }
    if let Ok(eof) = EofPacket::decode(payload) {
        encoded.clear();
        eof.encode(&mut encoded);
        assert_eq!(EofPacket::decode(&encoded), Ok(eof));
    }
    if let Ok(definition) = ColumnDefinition::decode(payload) {
        encoded.clear();
        definition.encode(&mut encoded);
        assert_eq!(ColumnDefinition::decode(&encoded), Ok(definition));
    }
    if let Ok(ok) = PrepareOk::decode(payload) {
        let mut patched = payload.to_vec();
        let param_count = ok.column_count;
        PrepareOk::patch_param_count(&mut patched, param_count);
        assert_eq!(PrepareOk::decode(&patched), Ok(PrepareOk { param_count, ..ok }));
    }
    let _ = OkPacket::decode(payload);
    let switch = AuthSwitch::decode(payload);
    assert!(switch.plugin.len() + switch.data.len() <= payload.len());
    let _ = ConnectionAttributes::decode(payload).value(b"bifocal_version");
}

fn greeting(payload: &[u8], capabilities: Capabilities) {
    let Ok(greeting) = Greeting::decode(payload) else { return };
    let mut patched = payload.to_vec();
    greeting.patch(&mut patched, capabilities);
    let again = Greeting::decode(&patched).expect("only flags have changed");
    let (low, extended) = capabilities.halves();
    let agreed = Capabilities::from_halves(u32::from_le_bytes(low), u32::from_le_bytes(extended));
    assert_eq!(again.capabilities, agreed);
    assert_eq!((again.scramble, again.plugin), (greeting.scramble, greeting.plugin));
}

fn handshake_response(payload: &[u8], capabilities: Capabilities) {
    let _ = HandshakeResponse::decode_capabilities(payload);
    let Ok(response) = HandshakeResponse::decode(payload) else { return };
    let zstd_level = response.zstd_level;
    let same = Changed { capabilities: response.capabilities, zstd_level, ..Changed::default() };
    let encoded = response.encode(payload, same);
    let again = HandshakeResponse::decode(&encoded).expect("a response");
    assert_eq!(again, response);
    assert_eq!(again.encode(&encoded, same), encoded);

    // What another capability would be the layout of is the caller's to know.
    let own = capabilities.without(LAYOUT).0 | response.capabilities.0 & LAYOUT.0;
    let plugin = response.plugin.filter(|name| !name.is_empty()).and(Some(&b"other"[..]));
    let (capabilities, database, auth) = (Capabilities(own), Some(&b"shop"[..]), Some(&b"\0pw"[..]));
    let changed = Changed { capabilities, database, plugin, auth, zstd_level };
    let silent = Changed { auth: Some(b""), ..changed };
    let is_plain = !response.capabilities.has(Capabilities::PLUGIN_AUTH_LENENC)
        && !response.capabilities.has(Capabilities::SECURE_CONNECTION);
    let encoded = response.encode(payload, if is_plain { silent } else { changed });
    let again = HandshakeResponse::decode(&encoded).expect("a response");
    assert_eq!(again.user, response.user);
    assert_eq!(again.auth, if is_plain { &b""[..] } else { b"\0pw" });
    assert_eq!(again.database, response.database.and(Some(&b"shop"[..])));
    assert_eq!(again.plugin, plugin.or(response.plugin));
    assert_eq!(again.attributes, response.attributes);
}

/// The capabilities that say how a handshake response is laid out.
const LAYOUT: Capabilities = Capabilities(
    Capabilities::CONNECT_WITH_DB.0
        | Capabilities::SECURE_CONNECTION.0
        | Capabilities::PLUGIN_AUTH.0
        | Capabilities::PLUGIN_AUTH_LENENC.0
        | Capabilities::CONNECT_ATTRS.0,
);

fn change_user(payload: &[u8], capabilities: Capabilities) {
    let Ok(command) = ChangeUser::decode(payload, capabilities) else { return };
    assert_eq!(command.encode(payload, None, None), payload);
    let plugin = command.plugin.filter(|name| !name.is_empty()).and(Some(&b"other"[..]));
    let encoded = command.encode(payload, Some(b"shop"), plugin);
    let again = ChangeUser::decode(&encoded, capabilities).expect("a command");
    assert_eq!(again.database, command.database.and(Some(&b"shop"[..])));
    assert_eq!(again.plugin, plugin.or(command.plugin));
    assert_eq!(again.auth, if plugin.is_some() { b"" } else { command.auth });
    assert_eq!(again.attributes, command.attributes);
}

fn commands(payload: &[u8], param_count: u16, sent_ahead: u8, capabilities: Capabilities) {
    if let Some(command) = payload.first().and_then(|byte| Command::from_byte(*byte)) {
        assert_eq!(command as u8, payload[0]);
        let _ = command.answer();
    }
    if let Ok(query) = Query::decode(payload, capabilities) {
        assert_eq!(query.encode()[1..], payload[1..]);
        assert_eq!(Query::decode(&query.encode(), capabilities), Ok(query));
    }
    let _ = Execute::decode_statement(payload);
    execute(payload, param_count, sent_ahead, capabilities);
    bulk_execute(payload, param_count);
}

fn execute(payload: &[u8], param_count: u16, sent_ahead: u8, capabilities: Capabilities) {
    let Ok(execute) = Execute::decode(payload, param_count, capabilities) else { return };
    let remembered = vec![ParamType(8); param_count.into()];
    let is_sent_ahead = |index: usize| index < 8 && sent_ahead >> index & 1 == 1;
    let Ok(arguments) = execute.arguments(&remembered, is_sent_ahead) else { return };
    assert!(arguments.len() >= param_count.into(), "an argument for each parameter");
    let encoded = execute.encode(&arguments);
    let again = Execute::decode(&encoded, param_count, capabilities).expect("an EXECUTE");
    assert_eq!(again.statement, execute.statement);
    assert_eq!(again.arguments(&[], is_sent_ahead), Ok(arguments.clone()));
    if param_count > 0 {
        let types: Vec<ParamType> = arguments.iter().map(|argument| argument.param_type).collect();
        assert_eq!(again.param_types(param_count).as_deref(), types.get(..param_count.into()));
    }
    let twice: Vec<_> = arguments.iter().rev().chain(&arguments).copied().collect();
    let len = execute.encode(&twice).len();
    assert!(len <= 2 * payload.len() + 5 * twice.len() + 16, "{len} bytes for twice the arguments");
}

fn bulk_execute(payload: &[u8], param_count: u16) {
    let Ok(bulk) = BulkExecute::decode(payload, param_count) else { return };
    let types = bulk.types.clone().unwrap_or_else(|| vec![ParamType(8); param_count.into()]);
    let Ok(rows) = bulk.rows(&types) else { return };
    let order: Vec<u16> = (0..param_count).collect();
    let encoded = bulk.encode_reordered(&types, &rows, &order);
    let again = BulkExecute::decode(&encoded, param_count).expect("a bulk execute");
    assert_eq!((again.statement, again.types.as_ref()), (bulk.statement, Some(&types)));
    assert_eq!(again.rows(&types), Ok(rows));
}

/// Takes a byte for how a leg is compressed, one for how its stream is cut, and the rest for the stream.
///
/// # Panics
/// If the code is wrong.
pub fn fuzz_compression(data: &[u8]) {
    let [how, cut, stream @ ..] = data else { return };
    let compression = if how & 1 == 0 {
        Compression::Zlib
    } else {
        Compression::Zstd(ZstdLevel::new(1 + how / 16).unwrap_or_default())
    };
    let cut = usize::from(*cut) + 1;
    let whole = decompress_anything(stream, compression, usize::MAX);
    assert_eq!(decompress_anything(stream, compression, cut), whole);
    decode_legs(stream, compression, cut);
    let packets = packets_of(stream);
    let (mut client, mut backend) = (ClientLeg::new(compression), BackendLeg::new(compression));
    let (mut frames, mut plain) = (Vec::new(), Vec::new());
    for piece in packets.chunks(cut) {
        backend.encode(piece, &mut frames);
    }
    assert_eq!(decompress_anything(&frames, compression, cut).as_ref(), Ok(&packets), "what the backend gets");
    frames.clear();
    client.begin_answer();
    for piece in packets.chunks(cut) {
        client.encode(piece, &mut frames);
    }
    let mut rest = frames.as_slice();
    while !rest.is_empty() {
        let taken = backend.decode(rest, &mut plain).expect("frames of Bifocal's own");
        assert!(taken > 0, "frames are taken");
        rest = &rest[taken..];
    }
    assert_eq!(without_seqs(&plain), without_seqs(&packets), "what the client gets");
}

/// Frames of anybody are taken to their end, or are wrong, and hold what they hold however they are cut.
fn decode_legs(stream: &[u8], compression: Compression, cut: usize) {
    let plain = [usize::MAX, cut].map(|cut| {
        let (mut of_client, mut of_backend) = (Vec::new(), Vec::new());
        let (mut client, mut backend) = (ClientLeg::new(compression), BackendLeg::new(compression));
        let is_good = stream.chunks(cut).all(|piece| take_all(piece, |rest| client.decode(rest, &mut of_client)));
        let is_right = stream.chunks(cut).all(|piece| take_all(piece, |rest| backend.decode(rest, &mut of_backend)));
        // What came before a frame that is wrong is of no use to anybody.
        (is_good.then_some(of_client), is_right.then_some(of_backend))
    });
    assert_eq!(plain[0], plain[1]);
}

fn take_all(piece: &[u8], mut decode: impl FnMut(&[u8]) -> Result<usize, BadFrame>) -> bool {
    let mut rest = piece;
    while !rest.is_empty() {
        let Ok(taken) = decode(rest) else { return false };
        assert!(taken > 0, "a leg that takes nothing never ends");
        rest = &rest[taken..];
    }
    true
}

/// Whole packets with these bytes: their lengths are the first byte's of each, and not empty.
fn packets_of(stream: &[u8]) -> Vec<u8> {
    let mut packets = Vec::new();
    let mut rest = stream;
    let mut seq = 0;
    while let Some((len, next)) = rest.split_first() {
        let (payload, next) = next.split_at(usize::from(*len).min(next.len()));
        put_payload(&mut packets, seq, &payload.repeat(1 + usize::from(*len & 7)));
        seq = if len & 8 == 0 { seq.wrapping_add(1) } else { 0 };
        rest = next;
    }
    packets
}

fn without_seqs(packets: &[u8]) -> Vec<&[u8]> {
    let mut payloads = Vec::new();
    let mut rest = packets;
    while let Some(header) = Header::read(rest) {
        payloads.push(&rest[HEADER_LEN..header.packet_len()]);
        rest = &rest[header.packet_len()..];
    }
    payloads
}
