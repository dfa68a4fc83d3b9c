"""XOR masking of payloads, RFC 6455 section 5.3."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.wire.masking import apply_mask
from tests.hybi_support import KEY, xor
from tests.wire_support import properties

keys = st.binary(min_size=4, max_size=4)


class MaskTests(SynchronousTestCase):
    def test_the_vector(self) -> None:
        self.assertEqual(apply_mask(b"Hello", KEY), bytes.fromhex("7f9f4d5158"))

    def test_nothing_stays_nothing(self) -> None:
        self.assertEqual(apply_mask(b"", KEY), b"")

    def test_leading_and_trailing_zeros_are_kept(self) -> None:
        # Numbers would lose them, and an implementation may use numbers.
        for size in range(1, 18):
            with self.subTest(size):
                self.assertEqual(apply_mask(bytes(size), bytes(4)), bytes(size))
                self.assertEqual(apply_mask((KEY * 5)[:size], KEY), bytes(size))

    @properties
    @given(st.binary(max_size=300), keys)
    def test_octet_i_is_masked_with_octet_i_mod_4(self, data: bytes, key: bytes) -> None:
        self.assertEqual(apply_mask(data, key), xor(data, key))

    @properties
    @given(st.binary(max_size=300), keys)
    def test_masking_twice_gives_the_data_back(self, data: bytes, key: bytes) -> None:
        self.assertEqual(apply_mask(apply_mask(data, key), key), data)
