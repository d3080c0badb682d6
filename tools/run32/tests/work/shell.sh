# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# For the shell of busybox: `sh shell.sh FOLDER BUSYBOX`. The output depends on nothing but the
# system calls; the folder is empty.
echo one | cat | tr a-z A-Z
for i in 1 2 3 4 5; do (exit $i); echo "status $?"; done
cd "$1" && pwd | sed 's/.*/here/'
i=0; while [ $i -lt 40 ]; do echo "line $i" >> many; i=$((i + 1)); done
wc -l < many; sort -r many | head -n 3; grep -c 'line 1' many; md5sum < many
mkdir -p a/b/c; touch a/b/c/file; ln -s a/b link; ln a/b/c/file hard; ls -R | sort
stat -c '%n %s %f %h' many link hard; readlink link; test -f link/c/file && echo found
dd if=/dev/zero of=sparse bs=1 count=1 seek=3000000 2>/dev/null; stat -c %s sparse
truncate -s 5G large; stat -c %s large; tail -c 3 large | od -x
chmod 640 many; stat -c %a many; touch -d '2020-01-02 03:04:05' many; stat -c %Y many
trap 'echo handled' USR1; kill -USR1 $$; echo after
(trap 'echo asked to end; exit 3' TERM; sleep 5 & kill -TERM $(sh -c 'echo $PPID'); wait) 2>/dev/null; echo $?
sh -c 'kill -SEGV $$'; echo $?; sh -c 'kill -SYS $$' ; echo $?
yes | head -n 20000 | wc -c; seq 1 2000 | sum
find . -name 'f*' | sort; du -s . > /dev/null; df . > /dev/null && echo measured
echo 'echo "a script: $0 $1"' > script; sed -i "1i #!$2 sh" script; chmod +x script; ./script x | sed 's/.*script: /script: /'
tar cf all.tar a many; tar tf all.tar; rm -rf a; tar xf all.tar; cat a/b/c/file; ls a
sleep 0.01; timeout 1 sleep 5; echo $?; usleep 1000; nice -n 3 nice; ulimit -n 99; ulimit -n
mkfifo pipe; (echo through > pipe &); cat pipe; id -u; expr 6 '*' 7; printf '%s\n' "$((1 << 40))"
