#!/usr/bin/perl
# The client of the Perl module Protocol::WebSocket, for drafts of RFC 6455: the scenario's "version" names one.
# tests/interop/script.py says what it reads and prints. It has no extensions.
use strict;
use warnings;

use Digest::SHA qw(sha1_hex);
use Encode qw(decode_utf8 encode_utf8);
use IO::Socket::INET;
use JSON::PP;
use Protocol::WebSocket;
use Protocol::WebSocket::Frame;
use Protocol::WebSocket::Handshake::Client;

my $scenario = decode_json(do { local $/; <STDIN> });
my $version = $scenario->{version};
my %report = (client => "Protocol::WebSocket $Protocol::WebSocket::VERSION", received => [], pongs => []);

my $handshake = Protocol::WebSocket::Handshake::Client->new(url => $scenario->{url}, version => $version);
$handshake->req->origin($scenario->{origin}) if defined $scenario->{origin};
my @offered = @{ $scenario->{subprotocols} };
$handshake->req->subprotocol(join ', ', @offered) if @offered;

my ($host, $port) = $scenario->{url} =~ m{^ws://([^:/]+):(\d+)} or die "not an address: $scenario->{url}";
my $socket = IO::Socket::INET->new(PeerAddr => $host, PeerPort => $port, Timeout => 30) or die "cannot connect: $!";
binmode $socket;

my $reader = Protocol::WebSocket::Frame->new(version => $version, max_payload_size => 0, max_fragments_amount => 100_000);

sub put {
    my ($data) = @_;
    while (length $data) {
        my $sent = syswrite($socket, $data) // die "cannot write: $!";
        substr($data, 0, $sent, '');
    }
}

# The next bytes; nothing at the end.
sub get {
    my $count = sysread($socket, my $data, 65536) // die "cannot read: $!";
    return $count ? $data : undef;
}

sub put_frame {
    my ($type, $payload, %more) = @_;
    my $frame = Protocol::WebSocket::Frame->new(
        buffer => $payload, type => $type, version => $version, masked => 1, max_payload_size => 0, %more);
    put($frame->to_bytes);
}

# The next frame's kind, a letter, and its payload; pings are answered.
sub get_frame {
    while (1) {
        my $payload = $reader->next_bytes;
        if (defined $payload) {
            return ('close', $payload)  if $reader->is_close;
            return ('pong', $payload)   if $reader->is_pong;
            return ('binary', $payload) if $reader->is_binary;
            return ('text', $payload) unless $reader->is_ping;
            put_frame('pong', $payload);
            next;
        }
        my $data = get() // die "the server has closed TCP";
        $reader->append($data);
    }
}

sub expect {
    my ($wanted) = @_;
    my ($type, $payload) = get_frame();
    die "expected $wanted, got $type" unless $type eq $wanted;
    return $payload;
}

# A message's type and payload, in bytes.
sub decoded {
    my ($message) = @_;
    my ($type, $unit) = exists $message->{text}
        ? ('text', encode_utf8($message->{text}))
        : ('binary', pack 'H*', $message->{binary});
    return ($type, $unit x $message->{times});
}

# What a report says of a message.
sub told {
    my ($type, $payload) = @_;
    return { $type => sha1_hex($payload), size => length $payload } if length $payload > 1000;
    return { $type => $type eq 'text' ? decode_utf8($payload) : unpack 'H*', $payload };
}

sub play {
    my ($verb, @arguments) = @_;
    if ($verb eq 'send') {
        put_frame(decoded($arguments[0]));
    }
    elsif ($verb eq 'send_parts') {
        my @parts = @{ $arguments[0] };
        for my $i (0 .. $#parts) {
            my ($type, $payload) = decoded($parts[$i]);
            put_frame($i ? 'continuation' : $type, $payload, fin => $i == $#parts ? 1 : 0);
        }
    }
    elsif ($verb eq 'receive') {
        push @{ $report{received} }, told(get_frame());
    }
    elsif ($verb eq 'ping') {
        put_frame('ping', encode_utf8($arguments[0]));
        push @{ $report{pongs} }, decode_utf8(expect('pong'));
    }
    else {
        put_frame('close', pack('n', $arguments[0]) . encode_utf8($arguments[1])) if $verb eq 'close';
        my $payload = expect('close');
        put_frame('close', substr $payload, 0, 2) if $verb eq 'wait_closed';
        $report{code} = length $payload ? unpack('n', $payload) : 1005;
        $report{reason} = length $payload > 2 ? decode_utf8(substr $payload, 2) : '';
        die "the server has sent more than its Close" if defined get();    # it closes TCP first
    }
}

put($handshake->to_string);
my $answer = '';
while (!$handshake->is_done && !$handshake->error) {
    $answer .= get() // die "the server has closed TCP";
    my $rest = $answer;
    $handshake->parse($rest);
    # It takes what it is given, all of it; what it leaves behind the head is the first frames.
    if ($handshake->is_done) { $reader->append($rest) }
    $answer = '';
}
if ($handshake->error) {
    $report{status} = $1 + 0 if $handshake->error =~ m{HTTP/1\.1 (\d{3})};
}
else {
    $report{status} = 101;
    $report{subprotocol} = $handshake->res->subprotocol;
    $report{extensions} = $handshake->res->field('Sec-WebSocket-Extensions') // '';
    play(@$_) for @{ $scenario->{steps} };
}
print encode_json(\%report);
