"""permessage-deflate's negotiation at the server, RFC 7692 section 7.1; the table in section 4 of RFC6455.md."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.settings import Settings
from hunchensocket_tx.wire.deflate import DeflateParameters, negotiate
from hunchensocket_tx.wire.headers import parse_extensions
from tests.wire_support import properties

FLAGS = ("server_no_context_takeover", "client_no_context_takeover")
BITS = ("server_max_window_bits", "client_max_window_bits")


def answer(*lines: str, **changes: Any) -> DeflateParameters | None:
    """Return the answer to the lines of a request's field, of a server with the largest windows."""
    return negotiate(parse_extensions(lines), Settings(**{"compression_window_bits": 15, **changes}))


def fields(parameters: DeflateParameters | None) -> dict[str, str | None]:
    """Return the parameters of an answer as a client reads them in the header field."""
    assert parameters is not None, "the offer was declined"
    (extension,) = parse_extensions([str(parameters)])
    assert extension.name == "permessage-deflate"
    assert len(dict(extension.parameters)) == len(extension.parameters)
    return dict(extension.parameters)


class AnswerTests(SynchronousTestCase):
    """Each row of the table."""

    def test_a_plain_offer_is_taken(self) -> None:
        self.assertEqual(answer("permessage-deflate"), DeflateParameters())
        self.assertEqual(fields(answer("permessage-deflate")), {})

    def test_server_no_context_takeover_is_obeyed_and_echoed(self) -> None:
        agreed = answer("permessage-deflate; server_no_context_takeover")
        self.assertEqual(agreed, DeflateParameters(server_no_context_takeover=True))
        self.assertEqual(fields(agreed), {"server_no_context_takeover": None})

    def test_client_no_context_takeover_is_taken_up(self) -> None:
        agreed = answer("permessage-deflate; client_no_context_takeover")
        self.assertEqual(agreed, DeflateParameters(client_no_context_takeover=True))
        self.assertEqual(fields(agreed), {"client_no_context_takeover": None})

    def test_server_max_window_bits_is_answered_with_no_more(self) -> None:
        for ours in range(9, 16):
            for wanted in range(9, 16):
                agreed = answer(
                    f"permessage-deflate; server_max_window_bits={wanted}", compression_window_bits=ours
                )
                with self.subTest(ours=ours, wanted=wanted):
                    told = fields(agreed).get("server_max_window_bits")
                    self.assertEqual(told, str(min(ours, wanted)))
                    assert agreed is not None
                    self.assertEqual(agreed.server_max_window_bits, min(ours, wanted))

    def test_a_server_window_of_8_which_zlib_cannot_keep_to_is_declined(self) -> None:
        self.assertIsNone(answer("permessage-deflate; server_max_window_bits=8"))

    def test_client_max_window_bits_is_answered_with_no_more(self) -> None:
        for ours in range(9, 16):
            for wanted in range(8, 16):
                agreed = answer(
                    f"permessage-deflate; client_max_window_bits={wanted}", compression_window_bits=ours
                )
                with self.subTest(ours=ours, wanted=wanted):
                    # Without an answer the window is 15.
                    told = fields(agreed).get("client_max_window_bits") or "15"
                    self.assertLessEqual(int(told), wanted)
                    assert agreed is not None
                    self.assertEqual(agreed.client_max_window_bits, int(told))

    def test_client_max_window_bits_without_a_value_lets_the_server_choose(self) -> None:
        agreed = answer("permessage-deflate; client_max_window_bits", compression_window_bits=10)
        self.assertEqual(fields(agreed)["client_max_window_bits"], "10")

    def test_client_max_window_bits_is_not_answered_if_it_was_not_offered(self) -> None:
        for offer in ("", "; server_max_window_bits=10", "; client_no_context_takeover"):
            agreed = answer("permessage-deflate" + offer, compression_window_bits=10)
            with self.subTest(offer):
                self.assertNotIn("client_max_window_bits", fields(agreed))
                # It may use the largest, then.
                assert agreed is not None
                self.assertEqual(agreed.client_max_window_bits, 15)

    def test_the_server_limits_its_own_window_unasked(self) -> None:
        agreed = answer("permessage-deflate", compression_window_bits=10)
        self.assertEqual(fields(agreed), {"server_max_window_bits": "10"})

    def test_the_server_may_drop_both_contexts_unasked(self) -> None:
        agreed = answer("permessage-deflate", compression_context_takeover=False)
        self.assertEqual(fields(agreed), {"server_no_context_takeover": None, "client_no_context_takeover": None})

    def test_all_parameters_at_once(self) -> None:
        agreed = answer(
            "permessage-deflate; client_max_window_bits=11; server_no_context_takeover; "
            "server_max_window_bits=10; client_no_context_takeover"
        )
        self.assertEqual(agreed, DeflateParameters(True, True, 10, 11))

    def test_values_may_be_quoted(self) -> None:
        agreed = answer('permessage-deflate; server_max_window_bits="10"; client_max_window_bits="9"')
        self.assertEqual(agreed, DeflateParameters(False, False, 10, 9))

    def test_what_browsers_offer_is_taken(self) -> None:
        self.assertIsNotNone(answer("permessage-deflate; client_max_window_bits"))  # Chrome, Safari
        self.assertIsNotNone(answer("permessage-deflate"))  # Firefox


class DeclineTests(SynchronousTestCase):
    """An offer with anything wrong is declined, which is not a failure."""

    def assert_declined(self, *parameters: str) -> None:
        for parameter in parameters:
            with self.subTest(parameter):
                self.assertIsNone(answer(f"permessage-deflate; {parameter}"))

    def test_no_offer(self) -> None:
        self.assertIsNone(answer())
        self.assertIsNone(answer(""))

    def test_another_extension(self) -> None:
        self.assertIsNone(answer("x-webkit-deflate-frame", "deflate-stream, permessage-bzip2", "deflate-frame"))

    def test_compression_that_is_switched_off(self) -> None:
        self.assertIsNone(answer("permessage-deflate", compression=False))

    def test_an_unknown_parameter(self) -> None:
        self.assert_declined(
            "max_window_bits=10", "x", "server_max_window_bits=10; y=1", "server-max-window-bits=9"
        )

    def test_a_repeated_parameter(self) -> None:
        self.assert_declined(
            *(f"{flag}; {flag}" for flag in FLAGS),
            *(f"{bits}=10; {bits}=10" for bits in BITS),
            "client_max_window_bits; client_max_window_bits",
            "client_max_window_bits; client_max_window_bits=10",
        )

    def test_a_value_where_none_is_allowed(self) -> None:
        self.assert_declined(*(f"{flag}={value}" for flag in FLAGS for value in ("1", "true", "10", '"x"')))

    def test_no_value_where_one_is_needed(self) -> None:
        self.assert_declined("server_max_window_bits")

    def test_an_invalid_value(self) -> None:
        values = ("7", "16", "0", "-9", "+9", "09", "010", "1e1", "10.0", "0x9", "ten", "100", '"16"', '""', "")
        self.assert_declined(*(f"{bits}={value}" for bits in BITS for value in values))

    def test_a_broken_element(self) -> None:
        self.assert_declined(
            "", "=", '"', 'server_max_window_bits="10', "a b", ";", "server_max_window_bits=10 11"
        )


class ChoiceTests(SynchronousTestCase):
    """Section 5: the first acceptable offer is taken."""

    def test_the_first_of_two(self) -> None:
        agreed = answer(
            "permessage-deflate; server_max_window_bits=10, permessage-deflate; server_max_window_bits=11"
        )
        assert agreed is not None
        self.assertEqual(agreed.server_max_window_bits, 10)

    def test_the_second_if_the_first_cannot_be_taken(self) -> None:
        for first in (
            "server_max_window_bits=8",
            "unknown",
            "server_max_window_bits",
            "=",
            "server_max_window_bits=7",
        ):
            agreed = answer(f"permessage-deflate; {first}, permessage-deflate; client_max_window_bits=11")
            with self.subTest(first):
                self.assertEqual(agreed, DeflateParameters(client_max_window_bits=11))

    def test_offers_may_stand_on_several_lines_among_others(self) -> None:
        agreed = answer(
            "x-other; a=1", "permessage-deflate; unknown", "y, permessage-deflate; client_no_context_takeover"
        )
        self.assertEqual(agreed, DeflateParameters(client_no_context_takeover=True))

    def test_parameters_of_a_declined_offer_do_not_count(self) -> None:
        agreed = answer("permessage-deflate; server_no_context_takeover; unknown, permessage-deflate")
        self.assertEqual(agreed, DeflateParameters())


class AnyOfferTests(SynchronousTestCase):
    @properties
    @given(
        st.fixed_dictionaries(
            {},
            optional={
                **dict.fromkeys(FLAGS, st.none()),
                "server_max_window_bits": st.integers(8, 15),
                "client_max_window_bits": st.one_of(st.none(), st.integers(8, 15)),
            },
        ),
        st.integers(9, 15),
        st.booleans(),
    )
    def test_a_client_can_accept_any_answer(self, offer: dict[str, int | None], ours: int, keep: bool) -> None:
        """What RFC 7692 tells a client to check, sections 7.1.1.1 to 7.1.2.2."""
        line = "; ".join(
            [
                "permessage-deflate",
                *(name if value is None else f"{name}={value}" for name, value in offer.items()),
            ]
        )
        agreed = answer(line, compression_window_bits=ours, compression_context_takeover=keep)
        if agreed is None:
            self.assertEqual(offer.get("server_max_window_bits"), 8)
            return
        told = fields(agreed)
        self.assertLessEqual(told.keys(), {*FLAGS, *BITS})
        if "server_no_context_takeover" in offer:
            self.assertIn("server_no_context_takeover", told)
        if "server_max_window_bits" in offer:
            self.assertIn("server_max_window_bits", told)
        for name in BITS:
            if (value := told.get(name)) is not None:
                self.assertIn(int(value), range(8, (offer.get(name) or 15) + 1))
        if "client_max_window_bits" in told:
            self.assertIn("client_max_window_bits", offer)
