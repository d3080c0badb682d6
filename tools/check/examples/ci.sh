#!/bin/sh
# A step of a kernel's CI: judges the vDSO images that a build has left in its folder.
#
#   ci.sh BUILD [REPORT]
#
# BUILD is the folder given to make as O=, or the source tree. With REPORT, a file, the verdicts are
# written there as SARIF. The status is the checker's: 0 good, 1 refused, 2 nothing to judge.
# CHECKER names the program, liblinux-check from PATH by default.
set -eu

build=$1
report=${2:-}
checker=${CHECKER:-liblinux-check}

found=
for folder in arch/x86/entry/vdso arch/arm64/kernel/vdso arch/arm64/kernel/vdso32 arch/arm/vdso arch/riscv/kernel/vdso
do
	[ -d "$build/$folder" ] && found="$build/$folder"
done
if [ -z "$found" ]; then
	echo "ci.sh: $build has no vDSO: build the kernel there first, or make vdso_prepare" >&2
	exit 2
fi
[ -z "$report" ] || "$checker" --format sarif "$found" > "$report" || [ $? -eq 1 ]
exec "$checker" "$found"
