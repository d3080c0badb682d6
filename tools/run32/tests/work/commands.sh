# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Commands of bash, coreutils and what belongs to them, each with its output and its status. What
# they print depends on nothing but the files that they make here and on the system calls: no time,
# no process number, no inode number. Runs in an empty folder.
exec 2>&1
export LC_ALL=C TZ=UTC
umask 022
# The end of a program by a signal, which the shell would report with the process's number.
quiet() { (exec 2> /dev/null; "$@"; echo "ended with $?"); }
count=0
while IFS= read -r line; do
	case $line in '' | '#'*) continue ;; esac
	count=$((count + 1))
	echo "$ $line"
	eval "$line" < /dev/null
	echo "= $?"
done << 'COMMANDS'
# The shell itself.
echo $MACHTYPE
echo $((1 << 40)) $((7 % -3)) $((2 ** 62)) $((-9223372036854775807 - 1))
printf '%05d|%-6s|%x|%o|%e\n' 42 ab 255 8 1.5
printf '%q\n' 'a b'"'"'c'
a=(one two three); echo ${#a[@]} ${a[1]} ${a[@]:1}
declare -A m=([x]=1 [y]=2); echo ${m[x]} ${m[y]} ${#m[@]}
s=abcdef; echo ${s:2:3} ${s/cd/CD} ${s^^} ${#s} ${s%ef} ${s#ab}
[[ abc =~ ^a(.)c$ ]] && echo ${BASH_REMATCH[1]}
for i in {1..5}; do printf '%s ' $((i * i)); done; echo
i=0; while ((i < 3)); do ((i++)); done; echo $i
(exit 7)
false || true
false | true; echo ${PIPESTATUS[@]}
set -o pipefail; false | true
set +o pipefail; ! true
cat <(echo one) <(echo two)
echo three > >(cat); wait; sleep 0.1
read x y <<< 'a b c'; echo $y-$x
mapfile -t lines < <(printf '1\n2\n3\n'); echo ${#lines[@]}
trap 'echo user' USR1; kill -USR1 $$; trap - USR1
trap 'echo left' EXIT; trap - EXIT
(trap 'echo ended; exit 4' TERM; kill -TERM $BASHPID; echo not here)
quiet bash -c 'kill -KILL $$'
quiet bash -c 'kill -SEGV $$'
quiet bash -c 'kill -SYS $$'
quiet bash -c 'ulimit -c 0; kill -ABRT $$'
(sleep 0.05; exit 3) & wait $!
quiet bash -c 'sleep 5 & kill $!; wait $!'
for i in 1 2 3 4 5 6 7 8; do (exit $i) & done; wait; echo all
coproc cat; echo round >&${COPROC[1]}; read back <&${COPROC[0]}; echo $back; exec {COPROC[1]}>&-; wait $COPROC_PID
exec 7> seven; echo seven >&7; exec 7>&-; cat seven
exec 8<> eight; echo eight >&8; exec 8>&-; cat eight
echo text >| seven; cat < seven
type -t cd ls echo if
nonesuch
./seven
/
cd nonesuch
pushd / > /dev/null; pwd; popd > /dev/null
(ulimit -n 77; ulimit -n)
ulimit -s
umask 077; umask; umask 022
times > /dev/null
enable -n echo; echo from a file; enable echo
f() { local x=1; echo $x $# $2; return 9; }; f a b c
echo $(echo nested $(echo deeper))
echo *
set -- a b c; shift; echo $1 $#
hash -r; command -v nonesuch
getopts ab: o -b value; echo $o $OPTARG
bash -c 'echo $0 $1' name word
env -i A=1 $(type -P env)
printf '%(%F %T)T\n' 0
printf '%s\n' {a,b}{1,2}
select=1; case $select in 1) echo first;; *) echo other;; esac
# Files and folders.
mkdir a; mkdir a
mkdir -p a/b/c && ls -R a
touch a/b/file; ls a/b
echo hello > a/b/file; cat a/b/file
cp a/b/file copy; cmp a/b/file copy
cp -r a tree; ls -R tree
cp -p a/b/file kept; cp nonesuch x
cp --sparse=always copy sparse-copy; stat -c %s sparse-copy
ln copy hard; stat -c %h copy
ln -s copy soft; readlink soft
ln -s nonesuch broken; cat broken
ln -s loop2 loop1; ln -s loop1 loop2; cat loop1
readlink -f soft | tail -c 5
realpath --relative-to=/ /a/../b
stat -c '%n %s %a %F' copy soft a
stat -L -c %F soft
touch -d '2001-02-03 04:05:06.789' copy; stat -c '%Y %y' copy
touch -d '1901-12-14' copy; stat -c %Y copy
touch -d '2038-01-19 03:14:08' copy; stat -c '%Y %y' copy
touch -r copy kept; stat -c %Y kept
touch -a -d @5 kept; stat -c '%X %Y' kept
chmod 4755 copy; stat -c %a copy
chmod u=rw,go= copy; stat -c %A copy
chmod +x nonesuch
chown 12:34 copy; stat -c %u:%g copy
chgrp 56 copy; stat -c %g copy
chown -h 1:2 soft; stat -c %u soft
chown 70000:80000 copy; stat -c %u:%g copy
mv copy moved; ls moved copy
mv -n moved kept; ls moved
mv moved a/; ls a
rm a; rm a/moved; ls a
rmdir a; rmdir a/b/c; ls a/b
rm -r tree; ls tree
rm -f nonesuch
mkfifo pipe; (echo through > pipe &); cat pipe
stat -c %F pipe
mknod null c 1 3; echo x > null; stat -c '%F %t %T' null
test -c null; test -p pipe; test -f pipe
test -e broken; test -L broken
[ a -nt nonesuch ]
[ soft -ef hard ]
[ -w / -a -x / ]
mktemp -u XXXX | wc -c
install -m 640 -D seven deep/er/seven; stat -c '%a %s' deep/er/seven
truncate -s 5G large; stat -c '%s' large
truncate -s -1 large; stat -c '%s' large
tail -c 3 large | od -An -tx1
dd if=large of=part bs=1M skip=4100 count=1 status=none; stat -c %s part
dd if=/dev/zero of=holes bs=1 count=1 seek=3000000000 status=none; stat -c '%s' holes
dd if=/dev/zero of=/dev/null bs=512 count=3 2>&1 | head -n 2
dd if=seven of=eight conv=ucase status=none; cat eight
split -b 2 seven piece-; ls piece-*
cat piece-* | cmp - seven
csplit -s <(seq 20) 5 10; ls xx*; wc -l xx*
shred -n 1 -s 100 -u piece-aa; ls piece-aa
du -s --apparent-size -B1 deep > /dev/null
du -a --apparent-size seven eight
df . > /dev/null; df --output=fstype / | tail -n 1
sync seven; sync -f seven
ls -l nonesuch
ls -la --time-style=+ -d a | cut -d ' ' -f 1-4
ls -1 --color=always a | od -c | head -n 2
ls -S --hide='xx*' -1 | head -n 3
ls -i nonesuch
dir a; vdir -d --time-style=+ a | cut -c 1-10
pathchk -p 'a b'
pathchk $(printf 'x%.0s' {1..300})
basename /a/b.c .c; dirname /a/b.c
unlink seven; unlink a
link eight linked; stat -c %h eight
mkdir many; for i in {1..300}; do : > many/file-$i; done; ls many | wc -l
ls many | sort -V | tail -n 1
echo many/file-1? | wc -w
rm many/*9; ls many | wc -l
cd many; ls -U | wc -l; cd ..
rm -rf many; ls -d many
# Text.
seq 1 10 | paste -sd+
seq -w 8 2 12
seq 1 2000 | sum; seq 1 2000 | cksum
seq 1 2000 | md5sum; seq 1 2000 | sha1sum
seq 1 2000 | sha224sum; seq 1 2000 | sha256sum
seq 1 2000 | sha384sum; seq 1 2000 | sha512sum
seq 1 2000 | b2sum
seq 1 100 > hundred; head -n 3 hundred; tail -n 3 hundred
head -n -98 hundred; tail -n +99 hundred
head -c 5 hundred; tac hundred | head -n 2
sort -rn hundred | head -n 2
sort -R --random-source=hundred hundred | md5sum
shuf --random-source=hundred -n 3 hundred | wc -l
printf 'b 2\na 10\nc 1\n' | sort -k2 -n
printf 'b\na\nb\n' | sort | uniq -c
printf 'b\na\nb\n' | sort -u | tr '\n' ' '
sort -c hundred
sort -n -S 20K -T . hundred | tail -n 1
comm -12 <(seq 5) <(seq 3 8)
join <(printf '1 a\n2 b\n') <(printf '1 x\n2 y\n')
cut -d ' ' -f 2 <<< 'a b c'; cut -c 2-3 <<< abcdef
paste -d, <(seq 3) <(seq 4 6)
tr a-z A-Z <<< hello; tr -d l <<< hello; tr -s l <<< hello
wc hundred; wc -L hundred
nl -ba <(printf 'a\nb\n')
fold -w 3 <<< abcdefgh
fmt -w 20 <<< 'a few words that do not fit into one line'
expand <<< $'a\tb' | od -c | head -n 1
unexpand -a <<< 'a       b'
pr -l 12 -t -2 <(seq 6)
od -An -tx1z <<< 'hello, world'
od -An -td8 -j 1 -N 8 hundred
base64 <<< hello; base64 -d <<< aGVsbG8K
base32 <<< hello; basenc --base16 <<< hello
ptx -G <<< 'one two' | head -n 1
tsort <<< 'a b b c a c'
numfmt --to=iec 1048576; numfmt --from=si 1.5M
factor 18446744073709551615 9223372036854775783
expr 6 '*' 7; expr abc : 'a\(.\)'; expr 1 / 0
printf '%s\n' one two | tee copied; cat copied
tee /dev/full < eight
cat /dev/full | head -c 4 | od -An -tx1
echo x > /dev/full
cat eight - eight <<< between
cat -A <<< $'a\tb\x01'
yes | head -n 20000 | wc -c
yes abc | tr -d '\n' | head -c 1000000 | md5sum
# The system.
arch; uname -s; uname -m
nproc
id -u; id -g; id nonesuch
whoami | wc -l
groups | wc -l
logname
users; who
tty
hostid | wc -c
printenv nonesuch
env A=1 printenv A
env -u A nonesuch
nice; nice -n 5 nice
nice -n -3 nice
nohup echo calm
timeout 0.1 sleep 5
quiet timeout -s KILL 0.1 sleep 5
timeout 60 bash -c 'exit 6'
timeout --foreground 0.1 cat pipe
sleep 0.01; sleep nonesuch
date -u -d @0 +%F; date -u -d '2024-02-29 +1 year' +%F
date -u -d '2040-01-01' +%s
date -u -d @4294967296 +%c
date +%s | wc -c
stty -a
chroot / nonesuch
env -C / pwd
pwd -P | tail -c 5
true --version | head -n 1
runcon x y
# Streams and limits.
quiet bash -c 'ulimit -f 1; head -c 100000 /dev/zero > limited'
stat -c '%s' limited
(ulimit -v 2000; true)
head -c 70000 /dev/zero | wc -c
for i in 1 2 3 4 5 6 7 8 9; do echo $i; done | (read a; read b; echo $a$b; cat | wc -l)
(echo a; echo b >&2) 2>&1 | sort
exec 9< hundred; read -u 9 first; read -u 9 second; echo $first $second; cat <&9 | head -n 1; exec 9<&-
cat hundred hundred > doubled; cmp hundred doubled
cat hundred >> hundred
yes | true; echo ${PIPESTATUS[0]}
seq 100000 | sort -n | tail -n 1
echo 'echo "a script: $0 $1"' > script; ./script
chmod +x script; ./script x
printf '#!%s\necho by bash $1\n' $(type -P bash) > script; ./script y
printf '#!/nonesuch\n' > script; ./script
printf 'not a program' > script; ./script
printf '\177ELF' > script; ./script
mkdir closed; chmod 0 closed; ls closed
ls -d /proc/self/fd/1
readlink /proc/self/exe
head -c 4 /proc/self/exe | od -An -c
cat /proc/self/comm
grep -c . /proc/self/status > /dev/null
ls /proc/self/task | wc -l
cat /proc/sys/kernel/ostype
cat /proc/self/mem
cat /proc/nonesuch
# Programs beside coreutils.
grep -n 7 hundred | tail -n 2; grep -c nonesuch hundred
grep -oP '(?<=9)\d' hundred | head -n 1
grep -r hello a; grep -q x nonesuch
sed -n '5p;$p' hundred; sed -i 's/^1$/one/' hundred; head -n 1 hundred
sed 's/\(.\)\(.\)/\2\1/' <<< ab
find . -name 'f*' | sort; find . -type l | sort
find . -maxdepth 1 -size +1G | sort
find . -name hundred -exec wc -l {} +
seq 4 | xargs -n 2 echo; seq 4 | xargs -P 3 -I{} bash -c 'exit 0'
mawk '{ s += $1 } END { print s }' hundred
mawk 'BEGIN { printf "%.3f %d\n", atan2(0, -1), 2 ^ 31 }'
mawk 'BEGIN { while (("echo 1; echo 2" | getline x) > 0) print x; system("exit 3") }'
diff <(seq 3) <(seq 2 4); diff -u hundred hundred
diff -r a deep
tar cf all.tar --mtime=@0 --owner=0 --group=0 --sort=name a hundred; tar tf all.tar
rm -r a; tar xf all.tar; cat a/b/file
tar cf - a | gzip -n | gzip -dc | tar tf -
gzip -k -n hundred; gzip -l hundred.gz | tail -n 1
gzip -dc hundred.gz | cmp - hundred; gzip -t all.tar
COMMANDS
echo "$count commands"
