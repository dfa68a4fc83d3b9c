#!/usr/bin/perl
# A WebSocket client made of Protocol::WebSocket (Debian: libprotocol-websocket-perl).
#
#   echo_client.pl URL VERSION HOW [MESSAGE, in UTF-8 and hexadecimal, ...]
#
# Sends all messages and prints what comes back, then ends the connection: HOW is "close" (with a closing
# handshake), "drop" (by closing TCP) or "wait" (for the server to close). One line for each thing that happens.
use strict;
use warnings;
use IO::Socket::INET;
use Protocol::WebSocket::Frame;
use Protocol::WebSocket::Handshake::Client;
use Protocol::WebSocket::URL;

my ($url, $version, $how, @messages) = @ARGV;
$| = 1;

my $address = Protocol::WebSocket::URL->new->parse($url);
my $socket = IO::Socket::INET->new(PeerAddr => $address->host, PeerPort => $address->port, Proto => 'tcp')
    or die "cannot connect: $@";
binmode $socket;

sub receive {
    my $got = sysread($socket, my $bytes, 4096);
    die "cannot read: $!" unless defined $got;
    return $got ? $bytes : undef;
}

my $handshake = Protocol::WebSocket::Handshake::Client->new(url => $url, version => $version);
syswrite $socket, $handshake->to_string;
my $early = '';
until ($handshake->is_done) {
    my $bytes = receive() // die 'the server closed during the handshake';
    $handshake->parse($bytes) or die 'handshake: ' . $handshake->error;
    $early .= $bytes;    # parse leaves what it did not need
}
print 'open ', $handshake->res->version, ' ', $handshake->res->location, "\n";

my $frames = Protocol::WebSocket::Frame->new(version => $version);
$frames->append($early);

sub send_frame { syswrite $socket, Protocol::WebSocket::Frame->new(version => $version, @_)->to_bytes }

# Prints messages until so many have come, or the server closes; tells whether it still is open.
sub read_frames {
    my ($wanted) = @_;
    while ($wanted) {
        my $message = $frames->next_bytes;
        if (!defined $message) {
            my $bytes = receive();
            if (!defined $bytes) { print "eof\n"; return 0 }
            $frames->append($bytes);
        }
        elsif ($frames->is_close) { print "close\n"; return 0 }
        else { print 'message ', unpack('H*', $message), "\n"; $wanted-- }
    }
    return 1;
}

send_frame(buffer => pack 'H*', $_) for @messages;
read_frames(scalar @messages) or exit 1;

if ($how eq 'close') {
    send_frame(type => 'close');
    read_frames(-1);
    print "eof\n" unless defined receive();
}
elsif ($how eq 'wait') {
    print "waiting\n";
    read_frames(-1);
    send_frame(type => 'close');
    print "eof\n" unless defined receive();
}
else {
    shutdown $socket, 1;
    read_frames(-1);
}
