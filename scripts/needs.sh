# Sourced by run, test and compare-generators: what has to be on the machine, and how it gets there.

say() { printf '%s\n' "$*" >&2; }

# The words that install Debian packages here, or nothing where this user may not.
apt_get() {
    command -v apt-get >/dev/null || return 1
    if [ "$(id -u)" = 0 ]; then
        echo "apt-get"
    elif sudo -n true 2>/dev/null; then
        echo "sudo -n apt-get"
    else
        return 1
    fi
}

# install PACKAGE…: through the system's package manager, if it may.
install() {
    local apt
    apt=$(apt_get) || return 1
    say "installing $* with apt-get"
    if [ -z "${package_lists_fresh:-}" ]; then
        $apt update -qq >&2 </dev/null || return 1
        package_lists_fresh=yes
    fi
    DEBIAN_FRONTEND=noninteractive $apt install -y -qq --no-install-recommends "$@" >&2 </dev/null
}

# Rust cannot be chosen for somebody: it is theirs to install.
need_rust() {
    if ! command -v cargo >/dev/null && [ -x "${CARGO_HOME:-$HOME/.cargo}/bin/cargo" ]; then
        PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
    fi
    if ! command -v cargo >/dev/null; then
        say "Rust is missing: get it from https://rustup.rs (one command), open a new shell, and run this again"
        exit 2
    fi
}

# Rust links with the C compiler's linker.
need_linker() {
    command -v cc >/dev/null && return
    install gcc libc6-dev && command -v cc >/dev/null && return
    say "a C linker is missing: install it with: apt-get install gcc libc6-dev (as root), and run this again"
    exit 2
}

need_linux() {
    [ "$(uname -s)" = Linux ] && return
    say "Ten Counters needs Linux: it measures through /proc, prctl and CPU affinity; use a virtual machine, a container or WSL 2"
    exit 2
}
