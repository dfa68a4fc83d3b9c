"""permessage-deflate's negotiation at the client, RFC 7692 section 7.1, and windows of all sizes at its end."""

from __future__ import annotations

import zlib
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.errors import HandshakeFailed, InvalidSetting
from hunchensocket_tx.settings import Settings
from hunchensocket_tx.wire.deflate import TAIL, Deflate, DeflateParameters, negotiate
from hunchensocket_tx.wire.deflate_offer import DeflateOffer, agreed_parameters, usual_offers
from hunchensocket_tx.wire.headers import parse_extensions
from tests.wire_support import properties

ANY = DeflateOffer()

OFFERS = st.builds(
    DeflateOffer,
    st.booleans(),
    st.booleans(),
    st.none() | st.integers(8, 15),
    st.booleans() | st.integers(8, 15),
)


def agreed(answer: str, *offers: DeflateOffer) -> DeflateParameters:
    """Return what is agreed upon by an answer's parameters."""
    line = "permessage-deflate" + (f"; {answer}" if answer else "")
    parameters = agreed_parameters([line], offers or [ANY])
    assert parameters is not None
    return parameters


class OfferTests(SynchronousTestCase):
    """What stands in the request."""

    def test_the_parameters_that_are_offered(self) -> None:
        for offer, expected in (
            (ANY, "permessage-deflate; client_max_window_bits"),
            (DeflateOffer(client_max_window_bits=False), "permessage-deflate"),
            (DeflateOffer(client_max_window_bits=8), "permessage-deflate; client_max_window_bits=8"),
            (
                DeflateOffer(True, True, 10, 11),
                "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
                "server_max_window_bits=10; client_max_window_bits=11",
            ),
        ):
            self.assertEqual(str(offer), expected)

    def test_windows_have_8_to_15_bits(self) -> None:
        for bits in range(8, 16):
            DeflateOffer(server_max_window_bits=bits, client_max_window_bits=bits)
        wrong: list[Any] = [7, 16, 0, 1, -9, 9.5, 10.0, "10"]
        for value in wrong:
            for name in ("server_max_window_bits", "client_max_window_bits"):
                with self.subTest(name, value=value), self.assertRaisesRegex(InvalidSetting, f"{name}.*8 to 15"):
                    DeflateOffer(**{name: value})

    def test_a_limit_for_the_server_has_a_number(self) -> None:
        for value in (True, False):
            with self.assertRaises(InvalidSetting):
                DeflateOffer(server_max_window_bits=value)

    def test_whether_the_client_can_be_limited_is_yes_or_no_or_a_number(self) -> None:
        nothing: Any = None
        with self.assertRaises(InvalidSetting):
            DeflateOffer(client_max_window_bits=nothing)

    def test_by_default_windows_are_offered_as_set_and_any(self) -> None:
        self.assertEqual(usual_offers(Settings()), (DeflateOffer(False, False, 12), ANY))
        self.assertEqual(usual_offers(Settings(compression_window_bits=15)), (ANY,))
        self.assertEqual(
            usual_offers(Settings(compression_context_takeover=False, compression_window_bits=9)),
            (DeflateOffer(True, True, 9), DeflateOffer(True, True)),
        )

    def test_nothing_is_offered_if_compression_is_off(self) -> None:
        self.assertEqual(usual_offers(Settings(compression=False)), ())


class AnswerTests(SynchronousTestCase):
    """What the server may answer."""

    def assert_refused(self, answer: str, *offers: DeflateOffer) -> None:
        with self.subTest(answer), self.assertRaisesRegex(HandshakeFailed, "not offered"):
            agreed(answer, *(offers or [ANY]))

    def test_no_answer_is_no_compression(self) -> None:
        for values in ([], [""], ["", ""]):
            for offers in ([], [ANY]):
                self.assertIsNone(agreed_parameters(values, offers))

    def test_nothing_was_offered(self) -> None:
        with self.assertRaises(HandshakeFailed):
            agreed_parameters(["permessage-deflate"], [])

    def test_an_answer_without_parameters(self) -> None:
        self.assertEqual(agreed(""), DeflateParameters())

    def test_all_parameters_at_once(self) -> None:
        answer = (
            'client_max_window_bits=9; server_max_window_bits="10"; client_no_context_takeover; '
            "server_no_context_takeover"
        )
        self.assertEqual(agreed(answer), DeflateParameters(True, True, 10, 9))

    def test_a_server_may_drop_contexts_and_limit_its_window_unasked(self) -> None:
        offer = DeflateOffer(client_max_window_bits=False)
        answer = "server_no_context_takeover; client_no_context_takeover; server_max_window_bits=8"
        self.assertEqual(agreed(answer, offer), DeflateParameters(True, True, 8, 15))

    def test_a_server_that_was_asked_to_drop_its_context_has_to(self) -> None:
        offer = DeflateOffer(server_no_context_takeover=True)
        self.assertTrue(agreed("server_no_context_takeover", offer).server_no_context_takeover)
        self.assert_refused("", offer)
        self.assert_refused("client_no_context_takeover", offer)

    def test_a_server_that_was_asked_to_limit_its_window_has_to(self) -> None:
        for asked in range(8, 16):
            offer = DeflateOffer(server_max_window_bits=asked)
            for bits in range(8, 16):
                answer = f"server_max_window_bits={bits}"
                if bits <= asked:
                    self.assertEqual(agreed(answer, offer).server_max_window_bits, bits)
                else:
                    self.assert_refused(answer, offer)
        self.assert_refused("", DeflateOffer(server_max_window_bits=14))

    def test_our_window_is_limited_only_if_we_can_and_no_more_than_we_said(self) -> None:
        self.assert_refused("client_max_window_bits=15", DeflateOffer(client_max_window_bits=False))
        for bits in range(8, 16):
            answer = f"client_max_window_bits={bits}"
            self.assertEqual(agreed(answer).client_max_window_bits, bits)
            offer = DeflateOffer(client_max_window_bits=11)
            if bits <= 11:
                self.assertEqual(agreed(answer, offer).client_max_window_bits, bits)
            else:
                self.assert_refused(answer, offer)

    def test_we_keep_what_we_said_even_if_the_server_says_nothing(self) -> None:
        offer = DeflateOffer(client_no_context_takeover=True, client_max_window_bits=10)
        self.assertEqual(agreed("", offer), DeflateParameters(False, True, 15, 10))

    def test_a_parameter_that_is_unknown_or_repeated_or_has_a_wrong_value(self) -> None:
        for answer in (
            "x",
            "x=1",
            "Server_No_Context_Takeover",
            "server_max_window_bits=10; y",
            *(f"{flag}; {flag}" for flag in ("server_no_context_takeover", "client_no_context_takeover")),
            *(f"{flag}=1" for flag in ("server_no_context_takeover", "client_no_context_takeover")),
            *(
                f"{name}{value}"
                for name in ("server_max_window_bits", "client_max_window_bits")
                for value in ("", "=", "=7", "=16", "=08", "=+9", "=0x9", "=9.0", '="16"', "=ten", '="10')
            ),
            "server_max_window_bits=10; server_max_window_bits=10",
            "server_max_window_bits=10; server_max_window_bits=9",
            "=",
            ";",
        ):
            self.assert_refused(answer)

    def test_another_extension_or_two(self) -> None:
        for values in (
            ["x-webkit-deflate-frame"],
            ["permessage-bzip2"],
            ["permessage-deflate, permessage-deflate"],
            ["permessage-deflate, x"],
            ["permessage-deflate,"],
            [", permessage-deflate"],
            ["permessage-deflate", "permessage-deflate"],
            ["permessage-deflate", "x"],
            ["permessage-deflate", ""],
            ["permessage-deflate x"],
            ['"permessage-deflate"'],
            [","],
            ["\xff"],
        ):
            with self.subTest(values), self.assertRaises(HandshakeFailed):
                agreed_parameters(values, [ANY])

    def test_the_text_quotes_the_answer_as_it_can_be_printed(self) -> None:
        with self.assertRaises(HandshakeFailed) as caught:
            agreed_parameters(["x\x9b\x85y"], [ANY])
        self.assertIn("x\\x9b\\x85y", str(caught.exception))
        self.assertTrue(str(caught.exception).isprintable())


class SeveralOffersTests(SynchronousTestCase):
    """The answer does not tell which one it is for."""

    def test_the_answer_to_any_of_them_is_taken(self) -> None:
        offers = usual_offers(Settings())
        self.assertEqual(
            agreed("server_max_window_bits=12; client_max_window_bits=12", *offers).server_max_window_bits, 12
        )
        self.assertEqual(agreed("", *offers), DeflateParameters())
        self.assertEqual(agreed("client_max_window_bits=15", *offers), DeflateParameters())

    def test_what_was_promised_in_any_that_fits_is_kept(self) -> None:
        # The server may have taken the second, and have a window of no more than that.
        first, second = ANY, DeflateOffer(client_max_window_bits=9, client_no_context_takeover=True)
        for offers in ((first, second), (second, first)):
            self.assertEqual(agreed("", *offers), DeflateParameters(False, True, 15, 9))

    def test_what_was_promised_in_one_that_does_not_fit_does_not_matter(self) -> None:
        other = DeflateOffer(server_max_window_bits=9, client_max_window_bits=9, client_no_context_takeover=True)
        self.assertEqual(agreed("", other, ANY), DeflateParameters())

    @properties
    @given(
        st.lists(OFFERS, min_size=1, max_size=3),
        st.integers(9, 15),
        st.booleans(),
        st.randoms(use_true_random=False),
    )
    def test_our_server_and_our_client_come_to_terms(
        self, offers: list[DeflateOffer], ours: int, keep: bool, random: Random
    ) -> None:
        settings = Settings(
            compression_window_bits=ours, compression_context_takeover=keep, compression_threshold=0
        )
        answer = negotiate(parse_extensions([", ".join(map(str, offers))]), settings)
        if answer is None:
            self.assertTrue(all(offer.server_max_window_bits == 8 for offer in offers))
            return
        parameters = agreed_parameters([str(answer)], offers)
        assert parameters is not None
        self.assertEqual(parameters.server_no_context_takeover, answer.server_no_context_takeover)
        self.assertEqual(parameters.server_max_window_bits, answer.server_max_window_bits)
        self.assertLessEqual(parameters.client_max_window_bits, answer.client_max_window_bits)
        self.assertGreaterEqual(parameters.client_no_context_takeover, answer.client_no_context_takeover)
        server, client = Deflate(answer, settings), Deflate(parameters, settings, client=True)
        for sender, receiver in ((client, server), (server, client)):
            noise = random.randbytes(700)
            for message in (noise, noise * 3, noise[::-1] + noise, b""):
                compressed = sender.compress_part(message, final=True)
                self.assertEqual(receiver.inflate(compressed, 10_000, final=True), message)


class WindowTests(SynchronousTestCase):
    """The peer may have memory for no more than what was agreed upon."""

    def test_what_a_client_sends_never_reaches_back_further_than_agreed(self) -> None:
        for bits in range(8, 16):
            for level in (1, 6, 9):
                settings = Settings(compression_threshold=0, compression_level=level)
                client = Deflate(DeflateParameters(client_max_window_bits=bits), settings, client=True)
                peer = zlib.decompressobj(-bits)
                for message in self.repetitive(1 << bits):
                    compressed = client.compress(message)
                    assert compressed is not None
                    with self.subTest(bits=bits, level=level):
                        self.assertEqual(inflate_by_the_byte(peer, compressed + TAIL), message)

    def test_a_window_that_is_too_small_would_be_noticed(self) -> None:
        compressor = zlib.compressobj(wbits=-10)
        data = b"".join(compressor.compress(message) for message in self.repetitive(1 << 8)) + compressor.flush()
        with self.assertRaises(zlib.error):
            inflate_by_the_byte(zlib.decompressobj(-8), data)

    def test_a_client_inflates_what_a_server_sends_with_the_window_agreed(self) -> None:
        for bits in range(9, 16):  # what zlib can send
            server = zlib.compressobj(wbits=-bits)
            client = Deflate(DeflateParameters(server_max_window_bits=bits), Settings(), client=True)
            for message in self.repetitive(1 << bits):
                data = server.compress(message) + server.flush(zlib.Z_SYNC_FLUSH)
                self.assertEqual(client.inflate(data[:-4], 1 << 20, final=True), message)

    def repetitive(self, window: int) -> list[bytes]:
        """Return messages in which matches lie at all distances around a window's size."""
        random = Random(window)
        size = min(window, 1 << 12)
        noise = random.randbytes(size)
        return [noise, noise, noise[size // 2 :] + noise[: size // 2], noise[:-7] + noise, b"a" * (2 * size)]


def inflate_by_the_byte(inflater: Any, data: bytes) -> bytes:
    """Inflate with nothing but the window to copy from: zlib may look into its output of the same call, too."""
    parts = [inflater.decompress(data, 1)]
    while inflater.unconsumed_tail or parts[-1]:
        parts.append(inflater.decompress(inflater.unconsumed_tail, 1))
    return b"".join(parts)
