# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Perl by i386 system calls. It prints nothing that differs from one run to the next. Runs in an
# empty folder.
use strict;
use warnings;
use Socket;
$| = 1;
$SIG{ALRM} = sub { print "alarm\n" };
alarm 1;
sleep 5;
my @children;
for my $i (1 .. 10) {
	my $pid = fork // die "fork: $!";
	exit $i unless $pid;
	push @children, $pid;
}
print join(",", map { waitpid $_, 0; $? >> 8 } @children), "\n";
pipe my $read, my $write or die;
if (!fork) { close $read; print $write "from the child\n"; exit }
close $write;
print scalar <$read>;
wait;
eval { local $SIG{ALRM} = sub { die "interrupted\n" }; alarm 1; select undef, undef, undef, 9; };
print $@;
$SIG{USR1} = sub { print "user signal\n" };
kill USR1 => $$;
$SIG{CHLD} = sub { print "a child ended\n" };
if (!fork) { exit }
select undef, undef, undef, 9;
$SIG{CHLD} = "DEFAULT";
socketpair my $near, my $far, AF_UNIX, SOCK_STREAM, PF_UNSPEC or die;
syswrite $near, "over a socket\n";
sysread $far, my $text, 100;
print $text;
open my $file, "+>", "data" or die;
print $file "line $_\n" for 1 .. 1000;
seek $file, -9, 2;
print "end: ", scalar <$file>;
print "size ", -s "data", "\n";
truncate $file, 1 << 32;
print "size ", (stat "data")[7], "\n";
print "flock ", flock($file, 2), "\n";
utime 1000, 2000, "data";
print join(",", (stat "data")[8, 9]), "\n";
mkdir "folder";
for my $i (1 .. 100) { open my $f, ">", "folder/$i"; }
opendir my $folder, "folder" or die "opendir: $!";
print scalar(grep { !/^\./ } readdir $folder), "\n";
print `echo by a shell`, $?, "\n" if -x "/bin/sh";
system $^X, "-e", "exit 7";
print $? >> 8, "\n";
my @sorted = sort { $a <=> $b } map { $_ * 7919 % 1000 } 1 .. 1000;
print "@sorted[0 .. 4]\n";
my %count;
$count{$_ % 7}++ for 1 .. 10000;
print join(",", map { "$_=$count{$_}" } sort keys %count), "\n";
printf "%.15g %s %s\n", atan2(1, 1) * 4, 2 ** 52 + 1, 1e15 + 0.5;
print join("|", "2001-02-03" =~ /(\d+)-(\d+)-(\d+)/), "\n";
print pack("l<q<n", -2, 1 << 40, 258) eq "\xfe\xff\xff\xff\0\0\0\0\0\1\0\0\1\2" ? "packed\n" : "not packed\n";
print join(",", (gmtime(2 ** 31 - 1))[5, 4, 3]), "\n";
local $! = 2;
print "$!\n";
exec "/nonesuch" or print "exec: $!\n";
