# Carries the calls of a sandbox's shells to the executor, over connections that stay open.
#
#   perl relay.pl SOCKET PLACE SECONDS
#
# Bash cannot connect to SOCKET by itself, and a program for each call takes longer than
# the call. A shell connects to a port of the loopback interface, whose number is in the
# file PLACE, and sends "<length>\n<request>". It gets "<length>\n<answer>", "late" after
# SECONDS, or nothing when the executor cannot be reached. It is started by cronium.sh and
# ends when it is one too many, or when PLACE is gone.
use strict;
use warnings;
use Fcntl qw(F_GETFL F_SETFL O_NONBLOCK LOCK_EX LOCK_NB);
use Socket;

use constant CHUNK    => 65536;
use constant LINES    => 16;     # The executor takes 32 connections of a run.
use constant LONGEST  => 4 << 20;
use constant IDLE     => 300;    # Seconds until it looks whether it can be found.

my ($socket, $place, $patience) = @ARGV;
my (%clients, %lines, $lock, $inode);
my $listener = prepare();
while (1) { turn() }

# Lets go of all that was inherited, and listens.
sub prepare {
    # Whoever waits for the end of a pipe or for a lock must not wait for this process.
    opendir(my $held, '/proc/self/fd') or exit 1;
    my @held = grep { /^\d+$/ && $_ > 2 && $_ != fileno($held) } readdir $held;
    closedir $held;
    for (@held) { if (open(my $old, '<&=', $_)) { close $old } }
    chdir '/';
    setpgrp(0, 0);
    @SIG{qw(HUP INT PIPE)} = ('IGNORE') x 3;
    umask 077;
    open($lock, '>>', "$place.lock") or exit 1;
    flock($lock, LOCK_EX | LOCK_NB) or exit 0;
    socket(my $made, AF_INET, SOCK_STREAM, 0) or exit 1;
    bind($made, sockaddr_in(0, INADDR_LOOPBACK)) && listen($made, 128) or exit 1;
    unblock($made);
    my ($port) = sockaddr_in(getsockname $made);
    open(my $file, '>', "$place.new") or exit 1;
    print {$file} "$port $$\n";
    $inode = (stat $file)[1];
    close($file) && rename("$place.new", $place) or exit 1;
    return $made;
}

sub unblock {
    my ($handle) = @_;
    fcntl($handle, F_SETFL, fcntl($handle, F_GETFL, 0) | O_NONBLOCK);
}

# Waits until something can be done, and does it.
sub turn {
    my @ends = (values %clients, values %lines);
    my ($readable, $writable) = ('', '');
    vec($readable, fileno $_, 1) = 1 for $listener, map { $_->{handle} } @ends;
    for (@ends) { if (length $_->{out}) { vec($writable, fileno $_->{handle}, 1) = 1 } }
    my $found = select($readable, $writable, undef, %clients ? 1 : IDLE);
    if (!$found && !%clients && ((stat $place)[1] || 0) != $inode) { exit 0 }
    if ($found > 0) {
        for my $end (@ends) {
            my $number = fileno $end->{handle};
            next if !defined $number;
            if (vec($writable, $number, 1)) { put($end) }
            if (vec($readable, $number, 1)) { take($end) }
        }
        if (vec($readable, fileno $listener, 1)) { greet() }
    }
    for (values %clients) { if (time > $_->{until}) { late($_) } }
    for (values %clients) { if ($_->{whole} && !$_->{line}) { serve($_) } }
}

sub greet {
    while (accept(my $handle, $listener)) {
        unblock($handle);
        my %client = (handle => $handle, in => '', out => '', until => time + $patience);
        $clients{fileno $handle} = \%client;
        take(\%client);
    }
}

# Reads what has come; an end that is at its end is closed.
sub take {
    my ($end) = @_;
    my $count = sysread($end->{handle}, $end->{in}, CHUNK, length $end->{in});
    if (!defined $count && $!{EAGAIN}) { return }
    if ($end->{client}) { heard($end, !$count) }
    elsif (!$count || $lines{fileno $end->{handle}}) { drop($end) }
    elsif ($end->{in} =~ /^(\d{1,9})\n/ && $1 <= LONGEST) {
        my $begin = length($1) + 1;
        if (length $end->{in} >= $begin + $1) {
            $end->{whole} = substr($end->{in}, $begin, $1);
        }
    }
    elsif (length $end->{in} > 10) { drop($end) }
}

sub put {
    my ($end) = @_;
    my $count = syswrite($end->{handle}, $end->{out}, CHUNK);
    if (defined $count) { substr($end->{out}, 0, $count, '') }
    elsif (!$!{EAGAIN}) { $end->{client} ? heard($end, 1) : drop($end); return }
    if ($end->{last} && !length $end->{out}) { drop($end) }
}

# Sends a client's request on a line that is free, or on a new one.
sub serve {
    my ($client, $fresh) = @_;
    my ($line) = $fresh ? () : grep { !$_->{client} } values %lines;
    if (!$line) {
        if (keys %lines >= LINES) { return }
        $fresh = 1;
        socket(my $handle, AF_UNIX, SOCK_STREAM, 0) or return drop($client);
        unblock($handle);
        connect($handle, sockaddr_un($socket)) or return drop($client);
        $line = $lines{fileno $handle} = { handle => $handle };
    }
    @$line{qw(client fresh in out)} = ($client, $fresh, '', $client->{whole});
    $client->{line} = $line;
    put($line);
}

# Looks at what a line has brought so far.
sub heard {
    my ($line, $ended) = @_;
    my $client = $line->{client};
    my ($size, $last) = answer_size($line->{in});
    if (defined $size && length $line->{in} >= $size) {
        my $again = !$ended && !length $line->{out} && !$last;
        reply($client, length($line->{in}) . "\n$line->{in}");
        if ($again) { @$line{qw(client in)} = (undef, '') }
        else { drop($line) }
    }
    elsif ($ended) {
        # A connection that the executor had given up: the same once more on a new one.
        my $stale = !$line->{fresh} && !length $line->{in};
        delete $client->{line};
        @$line{qw(client out)} = (undef, '');
        drop($line);
        if ($stale) { serve($client, 1) }
        else { drop($client) }
    }
}

# Bytes of an answer, and whether it is the last one, as its head says; nothing before.
sub answer_size {
    my ($text) = @_;
    my $end = index($text, "\r\n\r\n");
    if ($end < 0) { return }
    my $head = substr($text, 0, $end);
    my ($size) = $head =~ /\r\ncontent-length: *(\d+)/i or return;
    return ($end + 4 + $size, $head =~ /\r\nconnection: *close/i);
}

sub late {
    my ($client) = @_;
    if ($client->{last}) { return drop($client) }
    my $line = delete $client->{line};
    if ($line) { $line->{client} = undef; drop($line) }
    reply($client, "late\n");
}

sub reply {
    my ($client, $text) = @_;
    delete @$client{qw(line whole)};
    @$client{qw(out last until)} = ($text, 1, time + $patience);
    put($client);
}

# Closes an end, and the line of a client that is gone.
sub drop {
    my ($end) = @_;
    my $number = fileno $end->{handle};
    if (!defined $number) { return }
    delete $clients{$number};
    delete $lines{$number};
    close $end->{handle};
    if (my $line = delete $end->{line}) { $line->{client} = undef; drop($line) }
}
