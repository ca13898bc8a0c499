# Chooses from where the session reads its environment, before the environment's Python runs. bash 4; it needs
# nothing of the environment itself.
#
# Given: python, the interpreter behind all links; clusterhub_packed (`auto`, `unpacked`);
# clusterhub_node_directory, and clusterhub_node_memory (not empty: it may be memory); clusterhub_node_mounts,
# which may be empty.
# Sets:  clusterhub_enter, the words before the interpreter's; python, where it is read under another path;
# exports CLUSTERHUB_ENVIRONMENT_WAY (`directory`, `mounted`, `kernel`, `squashfuse`, `unpacked`) and, for a
# copy, CLUSTERHUB_UNPACKED, which `unpacked.py` reads.
#
# Each way is tried for real, as what a node permits is not to be read anywhere; the next one is taken where
# it fails. Everything that a session mounts lies in a namespace of its own: it is gone with the session's last
# process, however that ends.

set +eu  # the prologue may have set them
IFS=$' \t\n'
clusterhub_enter=()
clusterhub_why_not=
clusterhub_prefix=${python%/*/*}
clusterhub_image=${clusterhub_prefix%/*}/.packed/${clusterhub_prefix##*/}.squashfs
# `slave`: what the node mounts later, such as a home directory by autofs, is seen in the session as well.
clusterhub_namespace=(unshare --user --map-current-user --keep-caps --mount --propagation slave --)

clusterhub_not() {  # WAY REASON
    clusterhub_why_not+="; not $1: $2"
    return 1
}

clusterhub_is_mounted() {  # PATH [PID]: whether an image is mounted there, in the eyes of that process
    local path=${1// /\\040} point rest _ found=1
    while read -r _ _ _ _ point rest; do
        [ "$point" = "$path" ] || continue
        case "${rest#*- }" in squashfs\ * | fuse\ * | fuse.*) found=0 ;; *) found=1 ;; esac
    done <"/proc/${2:-self}/mountinfo"
    return $found
} 2>/dev/null

clusterhub_namespaces_fail() {  # whether they do, asked once; the reason is clusterhub_no_namespace
    if [ -z "${clusterhub_no_namespace+asked}" ]; then
        if clusterhub_no_namespace=$("${clusterhub_namespace[@]}" true 2>&1 </dev/null); then
            clusterhub_no_namespace=
        else
            clusterhub_no_namespace=${clusterhub_no_namespace:-unshare does not work}
        fi
    fi
    [ -n "$clusterhub_no_namespace" ]
}

clusterhub_read_through() {  # DIRECTORY: the same as the environment, and read in its place
    local mounting='mount --bind "$1" "$2" || exit; shift 2; exec setpriv --ambient-caps=-all --inh-caps=-all -- "$@"'
    local enter=("${clusterhub_namespace[@]}" /bin/sh -c "$mounting" clusterhub "$1" "$clusterhub_prefix")
    if ! clusterhub_namespaces_fail && "${enter[@]}" true </dev/null; then
        clusterhub_enter=("${enter[@]}")
    else
        # Python finds its packages by its own path, so this differs in what it calls itself only.
        python=$1${python#"$clusterhub_prefix"}
        clusterhub_why_not+="; under another path: ${clusterhub_no_namespace:-mount does not work}"
    fi
}

clusterhub_try_mounted() {
    local elsewhere=$clusterhub_node_mounts/${clusterhub_prefix##*/}
    clusterhub_is_mounted "$clusterhub_prefix" && return
    [ -n "$clusterhub_node_mounts" ] || return
    # To look into it is what has autofs mount it.
    [ -x "$elsewhere${python#"$clusterhub_prefix"}" ] && clusterhub_is_mounted "$elsewhere" ||
        clusterhub_not mounted "nothing is mounted at $elsewhere" || return
    clusterhub_read_through "$elsewhere"
}

clusterhub_image_is_whole() {
    local record said size
    record=$(cat -- "${clusterhub_image%.squashfs}.json" 2>/dev/null)
    [[ $record =~ \"size\":\ ([0-9]+) ]] || clusterhub_not packed "it has no image" || return
    said=${BASH_REMATCH[1]}
    [[ $record =~ \"unpacked\":\ ([0-9]+) ]] && clusterhub_unpacked_size=${BASH_REMATCH[1]}
    read -r size clusterhub_image_time < <(stat -Lc '%s %Y' -- "$clusterhub_image" 2>&1)
    [ "$size" = "$said" ] || clusterhub_not packed "the image $clusterhub_image is damaged, its size is not $said"
}

clusterhub_try_kernel() {
    local helper answer options=loop,ro,nosuid,nodev name forwarded=()
    if [ "$EUID" = 0 ]; then
        clusterhub_enter=(unshare --mount --propagation slave -- /bin/sh -c
            'mount -t squashfs -o "$1" "$2" "$3" || exit; shift 3; exec "$@"'
            clusterhub "$options" "$clusterhub_image" "$clusterhub_prefix")
    elif helper=$(type -P squashfs-mount); then
        # It is setuid, which is why the kernel takes these away.
        for name in LD_LIBRARY_PATH LD_PRELOAD TMPDIR; do
            [ -z "${!name+set}" ] || forwarded+=("SQFSMNT_FWD_$name=${!name}")
        done
        clusterhub_enter=(env "${forwarded[@]}" "$helper" "$clusterhub_image:$clusterhub_prefix" --)
    else
        clusterhub_not "a kernel mount" "this account may not mount, and there is no squashfs-mount"
        return
    fi
    answer=$("${clusterhub_enter[@]}" test -r "$clusterhub_prefix/clusterhub/manifest.json" 2>&1 </dev/null) && return
    clusterhub_enter=()
    clusterhub_not "a kernel mount" "${answer:-the image is not one of this environment}"
}

clusterhub_squashfuse() {  # the program: of the node, or of the Apptainer that it has
    local each
    for each in squashfuse_ll squashfuse /usr/libexec/{apptainer,singularity}/bin/squashfuse_ll; do
        type -P "$each" && return
    done
    return 1
}

clusterhub_try_squashfuse() {
    local program pid until=$((SECONDS + 10))
    program=$(clusterhub_squashfuse) || clusterhub_not squashfuse "this node has none" || return
    { [ -r /dev/fuse ] && [ -w /dev/fuse ]; } || clusterhub_not squashfuse "no access to /dev/fuse" || return
    ! clusterhub_namespaces_fail || clusterhub_not squashfuse "$clusterhub_no_namespace" || return
    # What the scheduler sends to all processes of a job must not take the environment from a server that is
    # about to save. It goes with the server, whose process this shell becomes.
    (
        trap '' TERM HUP INT USR1
        exec "${clusterhub_namespace[@]}" setpriv --pdeathsig KILL -- \
            "$program" -f -o ro "$clusterhub_image" "$clusterhub_prefix"
    ) </dev/null &
    pid=$!
    until clusterhub_is_mounted "$clusterhub_prefix" "$pid"; do
        if [ "$SECONDS" -gt "$until" ] || ! kill -0 "$pid" 2>/dev/null; then
            break
        fi
        sleep 0.01
    done
    clusterhub_enter=(nsenter --preserve-credentials --user --mount --target "$pid" --)
    if clusterhub_is_mounted "$clusterhub_prefix" "$pid" &&
        "${clusterhub_enter[@]}" test -r "$clusterhub_prefix/clusterhub/manifest.json" </dev/null; then
        return
    fi
    kill -KILL "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
    clusterhub_enter=()
    clusterhub_not squashfuse "$program could not mount $clusterhub_image"
}

clusterhub_own_directory() {  # the one on this node that only this person may open; prints it
    local owner mode parent=$clusterhub_node_directory path=$clusterhub_node_directory/clusterhub-$EUID
    read -r owner mode < <(stat -Lc '%u %a' -- "$parent" 2>/dev/null)
    # Where others may rename what is not theirs, no check of it lasts.
    [ -n "$mode" ] && { [ "$owner" = 0 ] || [ "$owner" = "$EUID" ]; } &&
        { ((0$mode & 01000)) || ! ((0$mode & 022)); } || return
    mkdir -m 700 -- "$path" 2>/dev/null
    [ "$(stat -c '%u %a %F' -- "$path" 2>/dev/null)" = "$EUID 700 directory" ] && echo "$path"
}

clusterhub_delete() {  # DIRECTORY: with what is in it, which is read-only
    [ ! -d "$1" ] || { chmod -R u+w -- "$1" && rm -rf -- "$1"; }
}

clusterhub_tidy() {  # OWN KEEP: copies that no session uses any more, such as of one that was killed
    local lock copy descriptor
    for lock in "$1"/*.lock; do
        copy=${lock%.lock}
        [ "$copy" != "$2" ] && [ -f "$lock" ] || continue
        exec {descriptor}>>"$lock" || continue
        if flock -n -x "$descriptor"; then
            clusterhub_delete "$copy"
            clusterhub_delete "$copy.partial"
        fi
        exec {descriptor}>&-
    done
}

clusterhub_unpack() {  # COPY: for the holder of its lock; whole, or not at all
    local answer free unit kind target link
    clusterhub_delete "$1.partial"
    read -r free unit kind < <(stat -f -c '%a %S %T' -- "${1%/*}")
    case "$kind" in
        tmpfs | ramfs)
            [ -n "$clusterhub_node_memory" ] || clusterhub_not unpacked \
                "$clusterhub_node_directory is memory, which node_directory has to allow" || return ;;
    esac
    ((free * unit > clusterhub_unpacked_size)) ||
        clusterhub_not unpacked "no room for $clusterhub_unpacked_size bytes in $clusterhub_node_directory" || return
    if ! answer=$(unsquashfs -no-progress -quiet -no-xattrs -dest "$1.partial" "$clusterhub_image" 2>&1 >/dev/null); then
        clusterhub_delete "$1.partial"
        clusterhub_not unpacked "${answer##*$'\n'}"
        return
    fi
    if clusterhub_namespaces_fail; then
        # It will be read under this path: a Python that lies in the environment has to be found here, too.
        chmod u+w "$1.partial" "$1.partial/bin" "$1.partial/pyvenv.cfg"
        for link in "$1.partial"/bin/python*; do
            target=$(readlink -- "$link")
            [ "$target" = "${target#"$clusterhub_prefix"/}" ] || ln -sfn "../${target#"$clusterhub_prefix"/}" "$link"
        done
        target=$(<"$1.partial/pyvenv.cfg")
        echo "${target//"= $clusterhub_prefix/"/"= $1/"}" >"$1.partial/pyvenv.cfg"
    fi
    mv -T -- "$1.partial" "$1" || clusterhub_not unpacked "$1 cannot be made"
}

clusterhub_try_unpacked() {
    local own copy try
    type -P unsquashfs >/dev/null || clusterhub_not unpacked "this node has no unsquashfs" || return
    own=$(clusterhub_own_directory) || clusterhub_not unpacked \
        "there is no directory $clusterhub_node_directory/clusterhub-$EUID that only this person can open" || return
    copy=$own/${clusterhub_prefix##*/}-$clusterhub_image_time
    clusterhub_tidy "$own" "$copy"
    for try in 1 2 3; do
        exec {clusterhub_lock}>>"$copy.lock" || return
        if flock -n -x "$clusterhub_lock" && [ ! -d "$copy" ] && ! clusterhub_unpack "$copy"; then
            exec {clusterhub_lock}>&-
            return 1
        fi
        # Sessions that use it share the lock; where another one of this person is unpacking, this waits for it.
        # The lock is lost for a moment while it changes, in which the last session before may remove the copy.
        if flock -s -w 300 "$clusterhub_lock" && [ -d "$copy" ]; then
            export CLUSTERHUB_UNPACKED="$clusterhub_lock:$copy"
            clusterhub_read_through "$copy"
            return
        fi
        exec {clusterhub_lock}>&-
    done
    clusterhub_not unpacked "the lock $copy.lock cannot be had"
}

clusterhub_choose() {
    local way
    clusterhub_try_mounted && CLUSTERHUB_ENVIRONMENT_WAY=mounted && return
    clusterhub_image_is_whole || return
    for way in kernel squashfuse unpacked; do
        [ "$clusterhub_packed" = auto ] || [ "$way" = unpacked ] || continue
        "clusterhub_try_$way" && CLUSTERHUB_ENVIRONMENT_WAY=$way && return
    done
}

unset CLUSTERHUB_UNPACKED
export CLUSTERHUB_ENVIRONMENT_WAY=directory
clusterhub_choose
echo "clusterhub: the environment is read by way of: $CLUSTERHUB_ENVIRONMENT_WAY$clusterhub_why_not" >&2
