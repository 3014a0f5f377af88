# shellcheck shell=bash disable=SC2034
# Sourced by scripts/xlt and scripts/test: makes .venv on first use, mends it when it is out of date or half done.
#
#   xlt_bootstrap EXTRAS   (EXTRAS: names separated by spaces, or empty)
#
# A stamp in .venv says for which dependencies, extras and place it was made; it is written last, so without it
# nothing counts as done. Runs on bash 3.2 (macOS). Sets xlt_root and xlt_venv.

xlt_root=$(CDPATH="" cd -- "${BASH_SOURCE[0]%/*}/.." && pwd -P)
xlt_venv=$xlt_root/.venv
xlt_lock=$xlt_root/.venv.lock
xlt_log=$xlt_venv/bootstrap.log
xlt_stamp=$xlt_venv/xlt-stamp
xlt_child=

xlt_say() { printf '%s\n' "$*" >&2; }

xlt_fail() {
    xlt_say "$*"
    exit 1
}

# What the environment depends on besides the extras. cksum is everywhere and starts fast (shasum is a Perl script).
xlt_sum() { cat "$xlt_root/pyproject.toml" "$xlt_root/constraints.txt" | cksum; }

# True when the stamp is that of these dependencies and this place, and has at least the extras asked for.
xlt_ready() {
    local sum place has extra
    [ -x "$xlt_venv/bin/python" ] && [ -r "$xlt_stamp" ] || return 1
    { read -r sum && read -r place && read -r has; } <"$xlt_stamp" || return 1
    [ "$place" = "$xlt_root" ] && [ "$sum" = "$(xlt_sum)" ] || return 1
    for extra in $1; do
        case " $has " in *" $extra "*) ;; *) return 1 ;; esac
    done
}

xlt_bootstrap() {
    xlt_ready "$1" && return
    trap 'xlt_release' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    xlt_acquire
    # Another bootstrap may have done the work while this one waited.
    xlt_ready "$1" || xlt_install "$1"
    xlt_release
    trap - EXIT INT TERM HUP
}

# --- one bootstrap at a time -----------------------------------------------------------------------------------

xlt_acquire() {
    local owner child polls=0 told=
    until mkdir "$xlt_lock" 2>/dev/null; do
        if [ ! -d "$xlt_lock" ]; then
            # Gone since, or it can't be made at all.
            [ -w "$xlt_root" ] || xlt_fail "xlt can't be installed: $xlt_root is not writable; make it so or clone it elsewhere."
            continue
        fi
        owner=$(cat "$xlt_lock/pid" 2>/dev/null || true)
        child=$(cat "$xlt_lock/child" 2>/dev/null || true)
        # A lock without a pid is one being made; if it stays so for 10 s its maker was killed.
        if { [ -n "$owner" ] || [ "$polls" -ge 20 ]; } && ! xlt_alive "$owner" && ! xlt_alive "$child"; then
            # The stale lock is taken over, not removed: removing could hit the lock of one who came a moment earlier.
            if mkdir "$xlt_lock/takeover" 2>/dev/null; then
                if [ "$owner" = "$(cat "$xlt_lock/pid" 2>/dev/null || true)" ]; then
                    break
                fi
                rmdir "$xlt_lock/takeover"
            fi
        fi
        if [ -z "$told" ] && [ "$polls" -ge 2 ]; then
            told=yes
            xlt_say "Waiting for another installation of xlt${owner:+ (process $owner)}; if there is none, remove $xlt_lock."
        fi
        polls=$((polls + 1))
        sleep 0.5
    done
    echo "$$" >"$xlt_lock/pid"
    rm -rf "$xlt_lock/child" "$xlt_lock/takeover"
}

xlt_alive() { [ -n "$1" ] && kill -0 "$1" 2>/dev/null; }

xlt_release() {
    if [ -n "$xlt_child" ]; then
        kill "$xlt_child" 2>/dev/null || true
        wait "$xlt_child" 2>/dev/null || true
        xlt_child=
    fi
    if [ "$(cat "$xlt_lock/pid" 2>/dev/null || true)" = "$$" ]; then
        rm -rf "$xlt_lock"
    fi
}

# Runs a command with its output in the log. It runs in the background so that a signal stops it at once, and its
# pid is in the lock so that the next bootstrap waits for it even if this shell was killed.
xlt_run() {
    local status=0
    "$@" >>"$xlt_log" 2>&1 </dev/null &
    xlt_child=$!
    echo "$xlt_child" >"$xlt_lock/child"
    wait "$xlt_child" || status=$?
    xlt_child=
    return $status
}

# --- the environment -------------------------------------------------------------------------------------------

# Prints the first Python that will do: 3.11 or later, able to make environments.
xlt_python() {
    local each path status version seen=
    for each in "$@"; do
        path=$(command -v "$each" 2>/dev/null) || continue
        status=0
        "$path" -c 'import sys
if sys.version_info < (3, 11): sys.exit(3)
import ensurepip, venv' >/dev/null 2>&1 || status=$?
        case $status in
        0)
            printf '%s\n' "$path"
            return
            ;;
        3)
            version=$("$path" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
            seen="$seen${seen:+, }$each is $version"
            ;;
        1) seen="$seen${seen:+, }$each lacks its venv module (Debian and Ubuntu: apt install python3-venv)" ;;
        esac
    done
    if [ -n "${XLT_PYTHON-}" ]; then
        xlt_fail "XLT_PYTHON=$XLT_PYTHON is no Python 3.11 or later that runs here${seen:+ ($seen)}; name another one or unset it."
    fi
    xlt_fail "xlt needs Python 3.11 or later and finds none${seen:+ ($seen)}; install one, or name it with XLT_PYTHON=/path/to/python3.11."
}

# True when .venv has a Python that will do and a whole pip (pip writes RECORD last).
xlt_usable() {
    "$xlt_venv/bin/python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 &&
        ls "$xlt_venv"/lib/python3.*/site-packages/pip-*.dist-info/RECORD >/dev/null 2>&1 &&
        "$xlt_venv/bin/python" -I -m pip --version >/dev/null 2>&1
}

# Removes what a killed pip leaves: a package without its RECORD would count as installed though files are missing.
xlt_sweep() {
    local each
    for each in "$xlt_venv"/lib/python3.*/site-packages/*.dist-info; do
        [ -d "$each" ] && [ ! -e "$each/RECORD" ] && rm -rf "$each"
    done
    rm -rf "$xlt_venv"/lib/python3.*/site-packages/~*
}

# What is about to be installed. Sizes as measured with the pinned versions: on disk (Linux), unpacked wheels (macOS).
xlt_announce() {
    local what size
    case $(uname -s)-$1 in
    Darwin-*dev*) what="xlt, its libraries and what its tests need" size="about 1.3 GB" ;;
    Darwin-*) what="xlt and its libraries" size="about 0.6 GB" ;;
    *dev*) what="xlt, its libraries and what its tests need" size="about 2 GB, more if pip finds PyTorch with CUDA only" ;;
    *) what="xlt and its libraries" size="about 1.6 GB, more if pip finds PyTorch with CUDA only" ;;
    esac
    xlt_say "Installing $what into $xlt_venv ($size); this takes one to three minutes on a fast line."
}

xlt_install() {
    local wanted=$1 sum place='' had='' extra python
    if [ -r "$xlt_stamp" ]; then
        { read -r sum && read -r place && read -r had; } <"$xlt_stamp" || true
    fi
    # What was asked for earlier stays installed.
    for extra in $had; do
        case " $wanted " in *" $extra "*) ;; *) wanted="$wanted $extra" ;; esac
    done
    # Before the installation: a change made during it must not count as installed.
    sum=$(xlt_sum)

    # The scripts of an environment that was moved name the old place.
    if [ -n "$place" ] && [ "$place" != "$xlt_root" ] || ! xlt_usable; then
        if [ -n "${XLT_PYTHON-}" ]; then
            python=$(xlt_python "$XLT_PYTHON") || exit 1
        else
            python=$(xlt_python python3.13 python3.12 python3.11 python3) || exit 1
        fi
        if [ -e "$xlt_venv" ]; then xlt_say "$xlt_venv is incomplete or was moved here; it is made anew."; fi
        xlt_announce "$wanted"
        rm -rf "$xlt_venv" && mkdir "$xlt_venv" || exit 1
        : >"$xlt_log"
        xlt_run "$python" -m venv "$xlt_venv" || xlt_explain
    else
        xlt_announce "$wanted"
        : >"$xlt_log"
        xlt_sweep
    fi
    xlt_write_stamp unfinished "$wanted"
    # shellcheck disable=SC2086,SC2116  # the splitting is the point: one space between names, none around
    wanted=$(echo $wanted)
    xlt_run "$xlt_venv/bin/python" -I -m pip install --no-input --progress-bar off \
        -c "$xlt_root/constraints.txt" -e "$xlt_root${wanted:+[${wanted// /,}]}" || xlt_explain
    xlt_write_stamp "$sum" "$wanted"
    xlt_say "Installed in $SECONDS s."
}

# Written aside and renamed, so that a stamp is whole or not there.
xlt_write_stamp() {
    printf '%s\n' "$1" "$xlt_root" "$2" >"$xlt_stamp.new" && mv -f "$xlt_stamp.new" "$xlt_stamp" || exit 1
}

# One sentence for what the log says, and exit 1. Order matters: a pip that reaches no index ends with
# "No matching distribution" too.
xlt_explain() {
    local reason
    if grep -Eiq 'no space left|disk quota' "$xlt_log"; then
        reason="the disk is full; free some space and run the same command again"
    elif grep -Eiq 'NewConnectionError|NameResolutionError|ConnectTimeout|ReadTimeout|ConnectionError|ProxyError|SSLError|connection (broken|refused|reset|timed out)|name resolution' "$xlt_log"; then
        reason="the package index can't be reached; check the connection (or pip's proxy and index settings) and run the same command again"
    elif grep -Eq 'No matching distribution found|ResolutionImpossible' "$xlt_log"; then
        reason="the index has no fitting package for this Python and machine ($(grep -E 'No matching distribution found' "$xlt_log" | tail -n 1 | sed 's/^.*found for //'))"
    else
        reason="pip failed"
    fi
    xlt_fail "xlt could not be installed: $reason; the log is $xlt_log."
}
