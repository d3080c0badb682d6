#!/bin/sh
# What CRIU runs at its stages (--action-script), so that a process keeps the
# fixup area that it has attached: the kernel holds that outside its memory.
#
# Dump: copies /proc/PID/vdso_fixup of each process to the images, when all is
# dumped and they are still frozen. Restore: writes it back before they go on.
# A kernel without the file has no area to keep, which is no error; an area that
# cannot be written back is, and the restore fails.

set -eu

# The process and all that descend from it, one a line.
tree() {
	echo "$1"
	for child in $(cat /proc/"$1"/task/*/children); do
		tree "$child"
	done
}

case $CRTOOLS_SCRIPT_ACTION in
post-dump)
	[ -e "/proc/$CRTOOLS_INIT_PID/vdso_fixup" ] || exit 0
	for pid in $(tree "$CRTOOLS_INIT_PID"); do
		cat "/proc/$pid/vdso_fixup" > "$CRTOOLS_IMAGE_DIR/vdso-fixup-$pid"
	done
	;;
post-restore)
	# The last stage at which CRIU gives up if we do. Says to itself that it
	# has no area, which a kernel that can have areas takes.
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
	for saved in "$CRTOOLS_IMAGE_DIR"/vdso-fixup-*; do
		[ -s "$saved" ] || continue
		pid=${saved##*-}
		if ! cat "$saved" > "/proc/$pid/vdso_fixup"; then
			echo "vdso-fixup: cannot give process $pid its area back: killing it, since its next fault would" >&2
			kill -KILL "$pid"
			exit 1
		fi
	done
	;;
esac
