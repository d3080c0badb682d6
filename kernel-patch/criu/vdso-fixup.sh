#!/bin/sh
# CRIU runs this at its stages (--action-script), so that a process keeps the
# fixup area that it has attached: the kernel holds that outside its memory.
#
# Dump: copies /proc/PID/vdso_fixup of each process to the images, when all is
# dumped and the processes are still frozen. Restore: writes the files back before
# the processes continue. A kernel without the file has no area to keep, which is
# not an error. An area that cannot be written back is an error: the script kills
# that process before it continues.
#
# A file is named by the process's number in its innermost namespace. After the
# restore its number elsewhere may be another one, or belong to another process.

set -eu

# The process and all that descend from it, one a line.
tree() {
	echo "$1"
	for child in $(cat /proc/"$1"/task/*/children); do
		tree "$child"
	done
}

# The file with the state of a process.
saved() {
	echo "$CRTOOLS_IMAGE_DIR/vdso-fixup-$(sed -n 's/^NSpid:.*[[:space:]]//p' "/proc/$1/status")"
}

case $CRTOOLS_SCRIPT_ACTION in
post-dump)
	# Files of an earlier dump do not belong to this one.
	rm -f "$CRTOOLS_IMAGE_DIR"/vdso-fixup-*
	[ -e "/proc/$CRTOOLS_INIT_PID/vdso_fixup" ] || exit 0
	for pid in $(tree "$CRTOOLS_INIT_PID"); do
		# A zombie has no memory.
		grep -q '^State:.Z' "/proc/$pid/status" && continue
		cat "/proc/$pid/vdso_fixup" > "$(saved "$pid")"
	done
	;;
post-restore)
	# The last stage at which CRIU gives up if this script fails. The shell detaches
	# its own area, which it does not have: a kernel with the series accepts that.
	for saved in "$CRTOOLS_IMAGE_DIR"/vdso-fixup-*; do
		[ -s "$saved" ] || continue
		if ! echo "area 0 0" > /proc/self/vdso_fixup; then
			echo "vdso-fixup: the dumped processes have exception fixups, and this kernel's vDSO has none: boot a kernel with the series and vdso64_image=rust" >&2
			exit 1
		fi
		break
	done
	;;
pre-resume)
	status=0
	for pid in $(tree "$CRTOOLS_INIT_PID"); do
		[ -s "$(saved "$pid")" ] || continue
		if ! cat "$(saved "$pid")" > "/proc/$pid/vdso_fixup"; then
			echo "vdso-fixup: cannot give process $pid its area back: killing it, as its next fault would" >&2
			kill -KILL "$pid"
			status=1
		fi
	done
	exit $status
	;;
esac
