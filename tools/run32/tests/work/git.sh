# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# git by i386 system calls, with fixed names and dates. Runs in an empty folder.
exec 2>&1
export HOME=$PWD GIT_CONFIG_NOSYSTEM=1 GIT_PAGER=cat LC_ALL=C TZ=UTC
export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=C GIT_COMMITTER_EMAIL=c@d
export GIT_AUTHOR_DATE='2001-02-03T04:05:06Z' GIT_COMMITTER_DATE='2001-02-03T04:05:06Z'
try() {
	echo "$ git $*"
	git "$@"
	echo "= $?"
}
try init -q -b main work
cd work || exit
for i in 1 2 3 4 5 6 7 8; do
	seq "$i" 200 > "file-$i"
done
try add .
try commit -q -m first
try status --short --branch
echo changed >> file-3
try diff --stat
try commit -q -a -m second
try checkout -q -b side HEAD~1
echo other >> file-5
try commit -q -a -m third
try merge -q -m merged main
try log --graph --oneline --all
try show --stat HEAD^
try blame -s -L 198,199 file-3
try grep -n changed
try tag -m tagged v1
try describe
try rev-parse HEAD HEAD^{tree}
try cat-file -p HEAD^{tree}
try stash list
echo conflict > file-1
try stash -q
try stash pop -q
try checkout -q -- file-1
try mv file-8 moved
try rm -q file-7
try status --porcelain
try reset -q --hard
try gc -q
try fsck
try count-objects
try format-patch -q -1 --stdout HEAD^
try bundle create -q ../all.bundle main
try bundle verify -q ../all.bundle
# A clone of a folder, and what git has as scripts, start programs by /bin/sh, a 64-bit one here.
try clone -q ../all.bundle ../clone
try -C ../clone log --oneline -n 1
try -C ../clone fetch -q
try archive --format=tar HEAD file-1 -o ../all.tar
try worktree add -q ../tree main
try nonesuch
