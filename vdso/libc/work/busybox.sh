# The shell and its tools at work: processes, pipes, signals, many files, archives, numbers.
# Every command is the same program, also for tools that start others by name. Output is the same in each run.
set -eu
umask 022
mkdir bin tree tree/a tree/b tree/b/c
busybox --install -s bin
PATH=$PWD/bin

# Files, found and summed up.
seq 1 20000 > tree/a/numbers
awk 'BEGIN { for (i = 0; i < 3000; i++) printf "%d %08x\n", i * 7919 % 3001, i }' > tree/b/table
dd if=/dev/zero of=tree/b/c/zeros bs=4096 count=257 2>/dev/null
ln -s ../a/numbers tree/b/link
ln tree/a/numbers tree/b/c/same
find tree -type f | sort | xargs sha256sum
find tree -type l -exec readlink '{}' ';'
du -s tree/a > /dev/null
stat -c '%n %s %h %A' tree/a/numbers tree/b/c/zeros

# Text.
sort -n tree/b/table | head -n 3
sort -k2 -r tree/b/table | tail -n 2
cut -d' ' -f2 tree/b/table | tr a-f A-F | grep -c A0 || true
sed -n 's/^1\(9*\)$/nines \1/p' tree/a/numbers
comm -12 tree/a/numbers tree/a/numbers | wc -l
awk '{ s += $1 } END { print s }' tree/a/numbers
sed '100,199d' tree/a/numbers > changed
diff tree/a/numbers changed > difference || true
patch tree/a/numbers < difference > /dev/null
cmp tree/a/numbers changed && echo patched

# Archives, by every compressor, and back.
tar -cf tree.tar tree
for with in gzip bzip2 lzop; do
    $with < tree.tar | $with -d | cmp - tree.tar && echo "$with returns it"
done
tar -czf tree.tgz tree
mkdir out
tar -xzf tree.tgz -C out
diff -r tree out/tree && echo "tar returns it"
(cd tree && find . | sort | cpio -o -H newc 2>/dev/null) | wc -c > /dev/null
rm -rf out tree.tar

# Processes: many short ones, pipelines, substitution, a fifo, jobs and their signals.
i=0
while [ $i -lt 200 ]; do
    sh -c "exit $((i % 7))" || echo $? >> statuses
    i=$((i + 1))
done
sort statuses | uniq -c
mkfifo fifo
cat fifo | wc -l > lines &
seq 1 5000 > fifo
wait
cat lines
for job in 1 2 3 4 5; do (usleep 10000; echo "job $job" > "job.$job") & done
wait
cat job.1 job.2 job.3 job.4 job.5
trap 'echo "a signal came"' USR1
kill -USR1 $$
sleep 60 &
kill -TERM $!
wait $! || echo "ended with $?"
timeout 1 sleep 60 || echo "timed out with $?"
echo "$(seq 1 300 | while read -r n; do [ $((n % 100)) = 0 ] && echo "$n"; done)" | tr '\n' ' '
echo

# Limits, dates, formats.
(ulimit -n 20; exec 9</dev/null; echo "descriptor 9 is open")
date -u -d @86400 '+%Y-%m-%d %H:%M:%S'
printf '%d %o %x %s\n' 255 255 255 end
echo "all is done"
