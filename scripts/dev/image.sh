#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Functions shared by the scripts that build images. An image is a tree of files, as a cpio archive.

die() {
	echo "$(basename "$0"): $*" >&2
	exit 1
}

need() { # PROGRAM PACKAGE: print the program's path
	local path
	path=$(PATH=$PATH:/usr/sbin:/sbin command -v "$1") || die "$1 is missing: apt-get install $2"
	readlink -f "$path"
}

# The newest kernel in /boot, if any.
newest_kernel() {
	find /boot -maxdepth 1 -name 'vmlinuz-*' | sort -V | tail -n 1
}

add_busybox() { # ROOT: busybox under all its names, and as init
	local busybox applet
	busybox=$(need busybox busybox-static)
	ldd "$busybox" >/dev/null 2>&1 && die "$busybox is not linked statically: apt-get install busybox-static"
	for applet in $("$busybox" --list-full 2>/dev/null); do
		mkdir -p "$1/$(dirname "$applet")"
		ln -sf /bin/busybox "$1/$applet"
	done
	cp --remove-destination "$busybox" "$1/bin/busybox" # the list includes itself
	ln -sf /bin/busybox "$1/init"
}

add_libraries() { # ROOT PROGRAM...: the shared libraries that they need
	local root=$1 lib
	shift
	ldd "$@" | awk '$3 ~ /^\// { print $3 } $1 ~ /^\/.*[^:]$/ { print $1 }' | sort -u | while read -r lib; do
		mkdir -p "$root$(dirname "$lib")"
		cp -Lu "$lib" "$root$lib"
	done
}

# The files of the named modules and their dependencies, relative to the module directory. Built-in modules have none.
module_files() { # DIR MODULES
	awk -F: -v want="$2" '
		{
			file = $1; name = file; sub(/.*\//, "", name); sub(/\.ko.*/, "", name); gsub(/-/, "_", name)
			of[name] = file; deps[file] = $2
		}
		END {
			gsub(/-/, "_", want); n = split(want, names, " ")
			for (i = 1; i <= n; i++)
				if (names[i] in of) print of[names[i]] deps[of[names[i]]]
		}' "$1/modules.dep" | tr ' ' '\n' | sort -u | sed '/^$/d'
}

add_modules() { # ROOT DIR MODULES
	local root=$1 dir=$2 version file
	version=$(basename "$dir")
	module_files "$dir" "$3" | while read -r file; do
		mkdir -p "$root/lib/modules/$version/$(dirname "$file")"
		# Debug information is most of a module's size, and slows loading.
		strip -g -o "$root/lib/modules/$version/$file" "$dir/$file" 2>/dev/null ||
			cp "$dir/$file" "$root/lib/modules/$version/$file"
	done
	if [ -d "$root/lib/modules/$version" ]; then
		"$(need busybox busybox-static)" depmod -b "$root" "$version"
	fi
}

archive() { # DIR: write it to standard output as a cpio archive, owned by root
	(cd "$1" && find . -mindepth 1 -print0 | LC_ALL=C sort -z | cpio --quiet -0 -o -H newc -R 0:0)
}
