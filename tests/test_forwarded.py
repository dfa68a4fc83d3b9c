"""Who the client is, by what proxies say: only what trusted ones say is believed, and nothing raises."""

from __future__ import annotations

from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.settings import Settings
from hunchensocket_tx.wire.forwarded import UNKNOWN, Node, forwarded_client, forwarded_clients
from tests.wire_support import properties

trusts = Settings(trusted_proxies=["10.0.0.0/8", "2001:db8::/32"]).trusts

addresses = st.ip_addresses().map(str)
proxies = st.ip_addresses(network="10.0.0.0/8").map(str)
wire_text = st.text(st.characters(max_codepoint=0xFF))


def quoted(address: str) -> str:
    """Write an address as RFC 7239 does."""
    return f'"[{address}]"' if ":" in address else address


class XForwardedForTests(SynchronousTestCase):
    """A list of addresses, the nearest last."""

    def check(self, expected: Node | None, *lines: str) -> None:
        self.assertEqual(forwarded_client({"x-forwarded-for": lines}, trusts), expected)

    def test_one_address_is_the_client_s(self) -> None:
        self.check(Node("192.0.2.1"), "192.0.2.1")

    def test_the_nearest_address_that_is_no_trusted_proxy_s_is_the_client_s(self) -> None:
        self.check(Node("192.0.2.1"), "198.51.100.1, 192.0.2.1,10.0.0.2 ,\t10.0.0.3")

    def test_several_lines_are_one_list(self) -> None:
        self.check(Node("192.0.2.1"), "198.51.100.1, 192.0.2.1", "10.0.0.2", "10.0.0.3")

    def test_if_all_are_trusted_the_farthest_is_the_client(self) -> None:
        self.check(Node("10.0.0.1"), "10.0.0.1, 10.0.0.2")

    def test_there_may_be_a_port(self) -> None:
        self.check(Node("192.0.2.1", 4711), "192.0.2.1:4711")
        self.check(Node("2001:db9::1", 4711), "[2001:DB9::1]:4711")

    def test_ipv6_is_written_as_the_system_does(self) -> None:
        for text in ("2001:db9:0:0:0:0:0:1", "[2001:DB9::1]", "2001:db9::1"):
            self.check(Node("2001:db9::1"), text)

    def test_ipv4_within_ipv6_is_ipv4(self) -> None:
        self.check(Node("192.0.2.1"), "192.0.2.1, ::ffff:10.0.0.2")
        self.check(Node("192.0.2.1"), "::ffff:192.0.2.1")

    def test_what_the_nearest_proxy_says_must_be_an_address(self) -> None:
        wrong = ("", "unknown", "localhost", "192.0.2.256", "192.0.2.1:65536", "192.0.2.1:x", "[::1", "1", "a b")
        for text in wrong:
            self.check(None, f"192.0.2.1,{text}")

    def test_what_is_none_behind_a_trusted_proxy_leaves_that(self) -> None:
        self.check(Node("10.0.0.2"), "192.0.2.1, unknown, 10.0.0.2")

    def test_without_the_field_nothing_is_told(self) -> None:
        self.assertEqual(forwarded_clients({}, trusts), set())

    @properties
    @given(st.lists(wire_text), addresses.filter(lambda address: not trusts(address)), st.lists(proxies))
    def test_nobody_can_invent_what_a_trusted_proxy_says(
        self, invented: list[str], client: str, chain: list[str]
    ) -> None:
        host = str(getattr(ip_address(client), "ipv4_mapped", None) or client)
        self.check(Node(host), *invented, ", ".join([client, *chain]))


class ForwardedTests(SynchronousTestCase):
    """RFC 7239: elements with parameters, the nearest proxy's last."""

    def check(self, expected: Node | None, *lines: str, **others: str) -> None:
        fields = {"forwarded": lines, **{name.replace("_", "-"): [value] for name, value in others.items()}}
        self.assertEqual(forwarded_client(fields, trusts), expected)

    def test_the_client_is_in_for(self) -> None:
        self.check(Node("192.0.2.1"), "For=192.0.2.1;proto=https")
        self.check(Node("2001:db9::1", 4711), 'proto=https;for="[2001:db9::1]:4711"')

    def test_trusted_proxies_are_passed_over(self) -> None:
        self.check(Node("192.0.2.1"), "for=198.51.100.1, for=192.0.2.1", 'for="[2001:db8::1]", for=10.0.0.3')

    def test_a_proxy_may_hide_it(self) -> None:
        for hidden in ("unknown", "_secret", '"_secret:_port"'):
            self.check(None, f"for=192.0.2.1, for={hidden}")

    def test_an_element_without_it_tells_nothing(self) -> None:
        self.check(None, "for=192.0.2.1, proto=https")

    def test_both_fields_may_say_the_same(self) -> None:
        self.check(Node("192.0.2.1", 4711), 'for="192.0.2.1:4711"', x_forwarded_for="192.0.2.1")

    def test_fields_that_contradict_each_other_are_not_believed(self) -> None:
        for forwarded in ("for=192.0.2.1", "for=unknown", 'for="192.0.2.2'):
            self.check(None, forwarded, x_forwarded_for="192.0.2.2")
            fields = {"forwarded": [forwarded], "x-forwarded-for": ["192.0.2.2"]}
            self.assertEqual(len(forwarded_clients(fields, trusts)), 2)

    def test_a_quote_that_is_left_open_hides_it(self) -> None:
        self.assertEqual(forwarded_clients({"forwarded": ['for="', "for=192.0.2.1"]}, trusts), {UNKNOWN})

    @properties
    @given(
        st.lists(wire_text.map(lambda text: text.replace('"', ""))),
        addresses.filter(lambda address: not trusts(address)),
        st.lists(proxies),
    )
    def test_nobody_can_invent_what_a_trusted_proxy_says(
        self, invented: list[str], client: str, chain: list[str]
    ) -> None:
        host = str(getattr(ip_address(client), "ipv4_mapped", None) or client)
        self.check(Node(host), *invented, *[f"for={quoted(address)}" for address in [client, *chain]])

    @properties
    @given(st.lists(wire_text), st.lists(wire_text))
    def test_nothing_makes_it_raise(self, forwarded: list[str], x_forwarded_for: list[str]) -> None:
        fields = {"forwarded": forwarded, "x-forwarded-for": x_forwarded_for}
        client = forwarded_client(fields, trusts)
        if client is not None:
            self.assertEqual(str(ip_address(client.host)), client.host)
            self.assertIn(client.port, range(65536))
