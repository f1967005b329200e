# perl serve.pl FILE: serves a file on a port of this machine, which it prints; the first half, then silence, to whom asks
# for all of it, the rest to whom asks for a part.
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use IO::Socket::INET;

open my $file, '<:raw', $ARGV[0] or die "$ARGV[0]: $!";
my $bytes = do { local $/; <$file> };
my $size = length $bytes;
my $server = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 5) or die "no port: $@";
$| = 1;
alarm 300;    # ends it, should nobody else
$SIG{PIPE} = 'IGNORE';
print $server->sockport, "\n";
while (my $client = $server->accept) {
    my $from = 0;
    while (defined(my $line = <$client>)) {
        $from = $1 if $line =~ /^Range: bytes=(\d+)-/i;
        last if $line =~ /^\r?\n$/;
    }
    my $left = $size - $from;
    my $end = $from > 0 ? $size : int($size / 2);
    print $client $from > 0
        ? "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes $from-@{[$size - 1]}/$size\r\n"
        : "HTTP/1.1 200 OK\r\n";
    print $client "Content-Length: $left\r\nConnection: close\r\n\r\n", substr($bytes, $from, $end - $from);
    $client->flush;
    <$client> if $end < $size;    # until the other side hangs up
    close $client;
}
