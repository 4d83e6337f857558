//! Both legs, by the bytes that they make and take.

use proptest::prelude::*;

use super::{BackendLeg, BadFrame, ClientLeg};
use crate::wire::{Compression, Extent, MAX_PACKET_LEN, ZstdLevel, put_payload};

fn packet(seq: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_payload(&mut out, seq, payload);
    out
}

/// Number and, where it is not compressed, content of each frame.
fn frames(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut frames = Vec::new();
    while let Some(([a, b, c, number, _, _, _], rest)) = bytes.split_first_chunk() {
        let (content, later) = rest.split_at(u32::from_le_bytes([*a, *b, *c, 0]) as usize);
        frames.push((*number, content.to_vec()));
        bytes = later;
    }
    frames
}

fn numbers(bytes: &[u8]) -> Vec<u8> {
    frames(bytes).into_iter().map(|(number, _)| number).collect()
}

fn frame(number: u8, content: &[u8]) -> Vec<u8> {
    let len = u8::try_from(content.len()).expect("a short frame");
    [&[len, 0, 0, number, 0, 0, 0], content].concat()
}

fn client_leg(received: &[u8]) -> Result<(ClientLeg, Vec<u8>), BadFrame> {
    let (mut leg, mut plain) = (ClientLeg::new(Compression::Zlib), Vec::new());
    leg.decode(received, &mut plain)?;
    Ok((leg, plain))
}

fn sent(leg: &mut ClientLeg, plain: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut out = Vec::new();
    leg.encode(plain, &mut out);
    frames(&out)
}

#[test]
fn each_command_begins_with_frame_0() {
    let mut leg = BackendLeg::new(Compression::Zlib);
    let plain = [packet(0, b"\x19abcd"), packet(0, b"\x0e"), packet(0, b"")].concat();
    for cut in [1, 3, 4, 5, 100] {
        let mut out = Vec::new();
        plain.chunks(cut).for_each(|piece| leg.encode(piece, &mut out));
        let begun: Vec<u8> = numbers(&out).into_iter().filter(|number| *number == 0).collect();
        assert_eq!(begun.len(), 3, "{cut}");
        let mut again = Vec::new();
        client_leg(&[]).expect("nothing").0.decode(&out, &mut again).expect("its own frames");
        assert_eq!(again, plain);
    }
}

#[test]
fn a_file_goes_on_after_the_request_until_an_empty_packet() {
    let mut leg = BackendLeg::new(Compression::Zlib);
    let mut out = Vec::new();
    leg.encode(&packet(0, b"\x03LOAD"), &mut out);
    leg.decode(&frame(1, &packet(1, b"\xfbfile")), &mut Vec::new()).expect("a frame");
    let ids = (2..=u8::MAX).chain(0..=u8::MAX).chain(0..3);
    let file: Vec<u8> = ids.flat_map(|seq| packet(seq, b"x")).collect();
    leg.encode(&file, &mut out);
    leg.encode(&packet(3, b""), &mut out);
    let expected: Vec<u8> = [0].into_iter().chain(2..=u8::MAX).chain(0..=u8::MAX).chain(0..4).collect();
    assert_eq!(numbers(&out), expected);
    // A payload in two packets is not the end either, though the second one may be empty.
    let mut out = Vec::new();
    leg.encode(&packet(254, &vec![0; MAX_PACKET_LEN]), &mut out);
    leg.encode(&packet(0, b"x"), &mut out);
    assert_ne!(numbers(&out).last(), Some(&0));
    leg.encode(&packet(1, b""), &mut out);
    // Its last packet may have any id: the next command begins anew.
    for seq in [0, 254, 255] {
        leg.encode(&packet(seq, b"x"), &mut Vec::new());
        leg.encode(&packet(seq.wrapping_add(1), b""), &mut Vec::new());
        let mut out = Vec::new();
        leg.encode(&packet(0, b"\x0e"), &mut out);
        assert_eq!(numbers(&out), [0], "after {seq}");
    }
}

#[test]
fn answers_go_on_after_their_commands_last_frame() {
    let ping = packet(0, b"\x0e");
    let close = packet(0, b"\x19abcd");
    let received = [frame(0, &ping[..2]), frame(1, &ping[2..]), frame(0, &close), frame(0, &ping)].concat();
    let (mut leg, plain) = client_leg(&received).expect("in order");
    assert_eq!(plain, [ping.clone(), close, ping].concat());
    leg.begin_answer();
    assert_eq!(sent(&mut leg, &packet(1, b"\0a")), [(2, packet(2, b"\0a"))]);
    assert_eq!(sent(&mut leg, &packet(2, b"b")), [(3, packet(3, b"b"))], "ids count packets");
    let two = [packet(3, b"c"), packet(4, b"d")].concat();
    assert_eq!(sent(&mut leg, &two), [(4, [packet(4, b"c"), packet(5, b"d")].concat())]);
    leg.begin_result();
    assert_eq!(sent(&mut leg, &packet(5, b"e")), [(5, packet(5, b"e"))], "ids go back to the frame's number");
    leg.begin_answer();
    leg.begin_answer();
    assert_eq!(sent(&mut leg, &packet(1, b"\0")), [(1, packet(1, b"\0"))]);
}

#[test]
fn a_commands_ids_need_not_be_right() {
    let quit = [frame(0, &packet(9, b"\x0e")), frame(0, &packet(3, b"\x01"))].concat();
    let (mut leg, plain) = client_leg(&quit[..12]).expect("in order");
    assert_eq!(plain, packet(0, b"\x0e"));
    leg.begin_answer();
    assert_eq!(sent(&mut leg, &packet(1, b"\0")), [(1, packet(1, b"\0"))]);
    let mut plain = Vec::new();
    leg.decode(&quit[12..], &mut plain).expect("in order");
    assert_eq!(plain, packet(0, b"\x01"));
}

#[test]
fn a_long_packet_has_one_frame_with_zlib() {
    let rows = [packet(1, b"first"), packet(2, &vec![b'x'; 900_000]), packet(3, b"last")].concat();
    for (is_zstd, count) in [(false, 3), (true, 8)] {
        for cut in [7, 65_536, rows.len()] {
            let mut leg = ClientLeg::new(compression(is_zstd));
            leg.begin_answer();
            let mut out = Vec::new();
            rows.chunks(cut).for_each(|piece| leg.encode(piece, &mut out));
            let mut again = Vec::new();
            BackendLeg::new(compression(is_zstd)).decode(&out, &mut again).expect("frames");
            assert!(numbers(&out).len() <= count + 1, "{cut}: {}", numbers(&out).len());
            assert!(is_zstd || again == rows[..again.len()], "{cut}");
        }
    }
}

#[test]
fn an_error_goes_on_after_the_frame_that_it_is_about() {
    let deflated = [&frame(3, b"xyz")[..4], b"\x09\0\0", b"xyz"].concat();
    for (wrong, bad) in [(frame(3, b"x"), BadFrame::Number), (deflated, BadFrame::Content)] {
        let mut leg = ClientLeg::new(Compression::Zlib);
        assert_eq!(leg.decode(&wrong, &mut Vec::new()), Err(bad));
        leg.begin_answer();
        assert_eq!(sent(&mut leg, &packet(1, b"\xff"))[0].0, 4);
    }
}

#[test]
fn a_files_ids_are_those_without_compression() {
    let query = packet(0, b"\x03LOAD");
    let (mut leg, _) = client_leg(&[frame(0, &query[..5]), frame(1, &query[5..])].concat()).expect("in order");
    leg.begin_answer();
    assert_eq!(sent(&mut leg, &packet(1, b"\xfbfile")), [(2, packet(2, b"\xfbfile"))]);
    let mut plain = Vec::new();
    let file = [frame(3, &packet(3, b"x")), frame(4, &[packet(0, b"y"), packet(5, b"")].concat())].concat();
    leg.decode(&file, &mut plain).expect("in order");
    assert_eq!(plain, [packet(2, b"x"), packet(3, b"y"), packet(4, b"")].concat());
    assert_eq!(sent(&mut leg, &packet(5, b"\0")), [(5, packet(5, b"\0"))]);
    leg.decode(&frame(0, &packet(0, b"\x0e")), &mut plain).expect("a command");
    leg.begin_answer();
    assert_eq!(sent(&mut leg, &packet(1, b"\0")), [(1, packet(1, b"\0"))]);
}

#[test]
fn a_wrong_number_is_an_error() {
    let ping = packet(0, b"\x0e");
    let wrong = [
        frame(1, &ping),
        [frame(0, &ping[..2]), frame(0, &ping[2..])].concat(),
        [frame(0, &ping[..2]), frame(2, &ping[2..])].concat(),
    ];
    for bytes in wrong {
        assert_eq!(client_leg(&bytes).err(), Some(BadFrame::Number), "{bytes:?}");
    }
}

#[test]
fn payloads_at_the_packet_limit_come_back() {
    for len in [MAX_PACKET_LEN - 5, MAX_PACKET_LEN - 1, MAX_PACKET_LEN, MAX_PACKET_LEN + 1] {
        let plain = [packet(0, &vec![3; len]), packet(0, b"\x0e")].concat();
        let (mut out, mut again) = (Vec::new(), Vec::new());
        BackendLeg::new(Compression::Zlib).encode(&plain, &mut out);
        let mut leg = ClientLeg::new(Compression::Zlib);
        let mut rest = &out[..];
        while !rest.is_empty() {
            let taken = leg.decode(rest, &mut again).expect("its own frames");
            rest = &rest[taken..];
        }
        assert!(again == plain, "{len}");
    }
}

fn payloads() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let short = proptest::collection::vec(any::<u8>(), 0..200);
    let long = (any::<u8>(), 0..70_000_usize).prop_map(|(byte, len)| vec![byte; len]);
    proptest::collection::vec(prop_oneof![short, long], 1..12)
}

/// What becomes of `plain` when one leg encodes and the other decodes it, each in pieces.
fn through(
    plain: &[u8],
    mut cuts: impl Iterator<Item = usize>,
    mut encode: impl FnMut(&[u8], &mut Vec<u8>),
    mut decode: impl FnMut(&[u8], &mut Vec<u8>) -> Result<usize, BadFrame>,
) -> Result<Vec<u8>, BadFrame> {
    let (mut bytes, mut again) = (Vec::new(), Vec::new());
    let mut rest = plain;
    while !rest.is_empty() {
        let (now, later) = rest.split_at(cuts.next().unwrap_or(1).min(rest.len()));
        encode(now, &mut bytes);
        rest = later;
    }
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let len = cuts.next().unwrap_or(1).min(rest.len());
        let taken = decode(&rest[..len], &mut again)?;
        rest = &rest[taken..];
    }
    Ok(again)
}

fn compression(is_zstd: bool) -> Compression {
    if is_zstd { Compression::Zstd(ZstdLevel::default()) } else { Compression::Zlib }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn packets_come_back_both_ways(
        payloads in payloads(),
        cuts in proptest::collection::vec(1..90_000_usize, 1..9),
        is_zstd: bool,
    ) {
        let mut client = ClientLeg::new(compression(is_zstd));
        let mut backend = BackendLeg::new(compression(is_zstd));
        let mut cuts = cuts.into_iter().cycle();
        let commands: Vec<u8> = payloads.iter().flat_map(|payload| packet(0, payload)).collect();
        let encode = |plain: &[u8], out: &mut Vec<u8>| backend.encode(plain, out);
        let again = through(&commands, &mut cuts, encode, |bytes, out| client.decode(bytes, out))?;
        prop_assert!(again == commands);
        let answer: Vec<u8> = (1..).zip(&payloads).flat_map(|(seq, payload)| packet(seq, payload)).collect();
        client.begin_answer();
        let encode = |plain: &[u8], out: &mut Vec<u8>| client.encode(plain, out);
        let again = through(&answer, &mut cuts, encode, |bytes, out| backend.decode(bytes, out))?;
        let mut rest = &again[..];
        for payload in payloads {
            let extent = Extent::find(rest).expect("a packet");
            prop_assert!(extent.payload(rest, &mut Vec::new()) == payload);
            rest = &rest[extent.wire_len..];
        }
        prop_assert!(rest.is_empty());
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), is_zstd: bool) {
        let compression = compression(is_zstd);
        _ = ClientLeg::new(compression).decode(&bytes, &mut Vec::new());
        _ = BackendLeg::new(compression).decode(&bytes, &mut Vec::new());
        BackendLeg::new(compression).encode(&bytes, &mut Vec::new());
        ClientLeg::new(compression).encode(&bytes, &mut Vec::new());
    }

    #[test]
    fn no_change_to_good_frames_panics(at in 0..60_usize, byte: u8, is_zstd: bool) {
        let compression = compression(is_zstd);
        let mut out = Vec::new();
        BackendLeg::new(compression).encode(&packet(0, &[b'q'; 900]), &mut out);
        let len = out.len();
        out[at % len] = byte;
        _ = ClientLeg::new(compression).decode(&out, &mut Vec::new());
    }
}
