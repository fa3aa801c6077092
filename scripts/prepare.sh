# Finds a Python, makes .venv, installs into it: what scripts/run and scripts/test have in common.
#
# Sourced with the project's folder as the working directory. Everything it says goes to stderr.
# shellcheck shell=sh

STAMP=.venv/.prepared

say() {
    printf '%s\n' "$*" >&2
}

fail() {
    say "$(basename "$0"): $1"
    exit 1
}

# prepare WHAT: make .venv hold the project ("run") or the project and what its tests need ("test").
# A call that finds everything in place costs a few milliseconds.
prepare() {
    is_prepared "$1" && return
    # Two first starts at once: the second waits for the first, then finds everything in place.
    if command -v flock >/dev/null 2>&1; then
        exec 9>.venv.lock
        flock 9
        is_prepared "$1" && exec 9>&- && return
    fi
    make_venv
    install_project "$1"
    printf '%s\n' "$(fingerprint)" >"$STAMP-$1"
    exec 9>&-
}

# A venv that is ready for the tests is ready for a run too.
is_prepared() {
    [ -x .venv/bin/python ] || return 1
    now=$(fingerprint)
    [ "$(cat "$STAMP-test" 2>/dev/null)" = "$now" ] || [ "$(cat "$STAMP-$1" 2>/dev/null)" = "$now" ]
}

# What an installation depends on.
fingerprint() {
    printf '%s %s %s' "$(cksum <pyproject.toml)" "$(.venv/bin/python -V 2>&1)" "$PWD"
}

make_venv() {
    # Its scripts name the folder they were made in, so a venv does not survive being moved.
    if grep -qsF "$PWD/.venv" .venv/pyvenv.cfg && .venv/bin/python -m pip --version >/dev/null 2>&1; then
        return
    fi
    python=$(find_python) || {
        apt_install python3 python3-venv
        python=$(find_python) || fail "Python 3.11 or newer is needed; this system's python3 is $(python3 -V 2>&1)"
    }
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        apt_install "$("$python" -c 'import sys; print("python3.%d-venv" % sys.version_info[1])')"
    fi
    say "Making .venv with $("$python" -V) ..."
    "$python" -m venv --clear .venv || fail "cannot make .venv with $python"
}

# Print the first Python on the path that is new enough.
find_python() {
    for name in python3 python3.14 python3.13 python3.12 python3.11 python; do
        found=$(command -v "$name") || continue
        if "$found" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            printf '%s\n' "$found"
            return
        fi
    done
    return 1
}

install_project() {
    say "Installing into .venv (once, and after a change of pyproject.toml) ..."
    export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_NO_INPUT=1
    if [ "$1" = test ]; then
        # `--group` came with pip 25.1; a venv begins with the pip that its Python ships.
        .venv/bin/python -m pip install --quiet 'pip>=25.1' >&2 || fail "cannot install a newer pip"
        .venv/bin/python -m pip install --quiet --editable . --group dev >&2 || fail "cannot install the tests' needs"
    else
        .venv/bin/python -m pip install --quiet --editable . >&2 || fail "cannot install the project"
    fi
}

# apt_install PACKAGE...: install them, or say which command does it and give up.
apt_install() {
    command -v apt-get >/dev/null 2>&1 || fail "please install $* with this system's package manager"
    if [ "$(id -u)" = 0 ]; then
        set -- env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"
    elif may_sudo; then
        say "Installing with sudo: $*"
        set -- sudo DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"
    else
        fail "please run this once as root (or with sudo before each command), then start again:
    apt-get update && apt-get install -y --no-install-recommends $*"
    fi
    # A fresh machine has no package lists, and an old one has lists of packages that are gone.
    "$@" >/dev/null 2>&1 </dev/null && return
    update_lists || fail "cannot update the package lists (apt-get update)"
    "$@" >&2 </dev/null || fail "this did not work: $*"
}

# Whether sudo works: without a question, or with one where somebody can answer it.
may_sudo() {
    command -v sudo >/dev/null 2>&1 || return 1
    sudo -n true 2>/dev/null || { [ -t 0 ] && [ -t 2 ] && sudo -v; }
}

update_lists() {
    if [ "$(id -u)" = 0 ]; then apt-get update -q >&2; else sudo apt-get update -q >&2; fi
}
