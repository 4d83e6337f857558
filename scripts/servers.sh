#!/usr/bin/env bash
#
# Gets real database servers for tests, demo and benches, without installing anything: Debian's
# own packages are downloaded with apt, checked against Debian's keyring, unpacked into a folder
# that git ignores, and run from there as ordinary processes. No root rights are needed.
#
#   scripts/servers.sh [mariadb-10.11] [mariadb-11.8] [mysql-9.7] [mysql-router]
#                      [mariadb-test-10.11] [mariadb-test-11.8] [mysql-test-9.7] [perl-dbd] [NAME-plugins]
#
# Without names: the three servers. mariadb-10.11 is required (exit status 1 without it); one of
# the others that cannot be had is only reported. A server that is there already is left alone;
# remove its folder to have it made anew. NAME-plugins are the authentication plugins of a server's own
# tests, which ask odd questions; those of mysql-9.7 come in a package of 340 MB.
#
#   BIFOCAL_SERVERS         where they go; default: .servers in the repository
#   BIFOCAL_DEBIAN_MIRROR   a Debian mirror; default: the one this machine's apt uses
#
# What is made, in $BIFOCAL_SERVERS/<name>/:
#
#   ready     the exact version; written last, so without it nothing else here is to be used
#   root/     the unpacked packages, with their own libraries and loader
#   datadir/  an initialised data directory, to be copied per instance: root@localhost with an
#             empty password, also over TCP from 127.0.0.1; no anonymous account, no database
#   run       the server, on 127.0.0.1, fast rather than durable. The caller adds --datadir,
#             --port, --socket, and what else it wants: later options win. The process id stays
#   client    the command line client
#   dump      mariadb-dump or mysqldump
#
# The second line of names has what tests/peers runs, with ready and root/ only: the servers' own test suites, whose
# programs become scripts that run them with their own libraries, and Perl's drivers with libmariadb.

set -euo pipefail
shopt -s inherit_errexit nullglob

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
dest=${BIFOCAL_SERVERS:-$repo/.servers}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
tries=3

say() { printf 'servers: %s\n' "$*" >&2; }

# What to unpack for one name: sets suite, wanted (the version's prefix) and packages.
recipe() {
    case $1 in
        mariadb-10.11) suite=bookworm wanted=10.11. ;;
        mariadb-11.8) suite=trixie wanted=11.8. ;;
        mysql-9.7) suite=sid wanted=9.7. ;;
        mysql-router) suite=sid wanted= ;;
        mariadb-10.11-plugins) suite=bookworm wanted=10.11. ;;
        mariadb-11.8-plugins) suite=trixie wanted=11.8. ;;
        mysql-9.7-plugins) suite=sid wanted=9.7. ;;
        mariadb-test-10.11) suite=bookworm wanted=10.11. ;;
        mariadb-test-11.8) suite=trixie wanted=11.8. ;;
        mysql-test-9.7) suite=sid wanted=9.7. ;;
        perl-dbd) suite=bookworm wanted= ;;
        *) return 1 ;;
    esac
    case $1 in
        mariadb-*-plugins) packages=(mariadb-test) ;;
        mysql-*-plugins) packages=(mysql-testsuite) ;;
        mariadb-test-*) packages=(mariadb-test mariadb-test-data mariadb-server-core mariadb-server mariadb-client-core mariadb-client) ;;
        mysql-test-*) packages=(mysql-testsuite mysql-server-core mysql-client-core libjson-perl) ;;
        perl-dbd) packages=(libdbd-mariadb-perl libdbd-mysql-perl libdbi-perl libtest-deep-perl libmariadb-dev) ;;
        mariadb-*) packages=(mariadb-server-core mariadb-server mariadb-client-core mariadb-client) ;;
        mysql-router) packages=(mysql-router) ;;
        mysql-*) packages=(mysql-server-core mysql-client-core) ;;
    esac
}

# Ends the work on one server; the reason is what the user is told.
fail() {
    printf '%s' "$*" >"$reason"
    exit 1
}

# The mirrors that may serve Debian, best first, from the machine's own apt configuration (apt
# reads both of its formats for us).
mirrors() {
    if [[ -n ${BIFOCAL_DEBIAN_MIRROR:-} ]]; then
        printf '%s\n' "$BIFOCAL_DEBIAN_MIRROR"
        return
    fi
    local targets
    # shellcheck disable=SC2016 # the format is apt's, not the shell's
    targets=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages')
    {
        sed -n 's|^\([^ ]*/debian/\{0,1\}\) bookworm main$|\1|p' <<<"$targets"
        sed -n 's|^\([^ ]*\) bookworm main$|\1|p' <<<"$targets"
        sed -n 's|^\([^ ]*/debian/\{0,1\}\) [^ ]* main$|\1|p' <<<"$targets"
    } | sed '/^cdrom:/d' | cat -n | sort -uk2 | sort -n | cut -f2-
}

# Prepares apt for one suite, apart from the system's apt in everything but the way to reach the
# network (proxies and the like).
prepare_apt() {
    local settings
    apt_home=$dest/cache/$suite
    mkdir -p "$apt_home/lists/partial" "$apt_home/archives/partial" "$apt_home/state"
    : >"$apt_home/status"
    settings=$(apt-config dump Acquire)
    {
        grep -Ev '^Acquire::(IndexTargets|Allow)' <<<"$settings" || true
        cat <<CONF
Dir::Etc::main "/dev/null";
Dir::Etc::parts "/dev/null";
Dir::Etc::sourcelist "$apt_home/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State "$apt_home/state";
Dir::State::lists "$apt_home/lists";
Dir::State::status "$apt_home/status";
Dir::Cache "$apt_home";
Dir::Cache::archives "$apt_home/archives";
Dir::Log "$apt_home";
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
APT::Install-Recommends "false";
Acquire::PDiffs "false";
Acquire::Retries "0";
CONF
    } >"$apt_home/apt.conf"
    export APT_CONFIG=$apt_home/apt.conf
}

# Reads the suite's index from the first mirror that has it. A newer suite may be signed with keys
# that an older system lacks: then the keyring package of bookworm brings them.
update_index() {
    local mirror try keys arch newer=$dest/cache/keyring$keyring
    arch=$(dpkg --print-architecture)
    [[ -r $keyring ]] || fail "no Debian keyring at $keyring (package debian-archive-keyring)"
    [[ ${#mirror_list[@]} -gt 0 ]] || fail "this machine's apt knows no Debian mirror; set BIFOCAL_DEBIAN_MIRROR"
    keys=$keyring
    [[ $suite = bookworm || ! -r $newer ]] || keys=$newer
    for ((try = 1; try <= tries; try++)); do
        for mirror in "${mirror_list[@]}"; do
            printf 'deb [arch=%s signed-by=%s target=Packages] %s %s main\n' \
                "$arch" "$keys" "$mirror" "$suite" >"$apt_home/sources.list"
            if apt-get update -q >"$apt_home/update.log" 2>&1; then
                cat "$apt_home/update.log"
                return
            fi
            cat "$apt_home/update.log"
        done
        if [[ $keys = "$keyring" && $suite != bookworm ]] &&
            grep -q 'NO_PUBKEY\|EXPKEYSIG' "$apt_home/update.log"; then
            (suite=bookworm packages=(debian-archive-keyring) && fetch_keyring)
            keys=$newer
        elif ((try < tries)); then
            echo "the index could not be read, try $try of $tries"
            sleep $((try * 2))
        fi
    done
    fail "the index of Debian $suite could not be read: $(grep -m1 '^[EW]:' "$apt_home/update.log" || echo "see $log")"
}

fetch_keyring() {
    prepare_apt
    update_index
    download
    for deb in "${debs[@]}"; do dpkg-deb -x "$deb" "$dest/cache/keyring"; done
}

# Adds to packages the libraries that they need, and those that these need.
add_libraries() {
    local -A seen=()
    local -a queue=("${packages[@]}")
    local name depends
    for name in "${packages[@]}"; do seen[$name]=1; done
    while ((${#queue[@]})); do
        depends=$(apt-cache depends --no-recommends --no-suggests --no-conflicts --no-breaks \
            --no-replaces --no-enhances "${queue[@]}" | sed -n 's/^[ |]*\(Pre\)\{0,1\}Depends: //p')
        queue=()
        while read -r name; do
            case $name in
                *-perl | libdebconf* | libpam*) continue ;;
                lib* | zlib1g) ;;
                *) continue ;;
            esac
            [[ -z ${seen[$name]:-} ]] || continue
            seen[$name]=1
            queue+=("$name")
            packages+=("$name")
        done <<<"$depends"
    done
}

# Downloads packages into the cache, and sets debs to their files. What the cache has, apt checks
# and does not fetch again.
download() {
    local try uris file
    cd "$apt_home/state" # apt names only files that the current folder lacks
    uris=$(apt-get download -q --print-uris "${packages[@]}")
    cd "$dest/cache"
    for ((try = 1; ; try++)); do
        apt-get download -q "${packages[@]}" && break
        ((try < tries)) || fail "its packages could not be downloaded (tried $tries times), see $log"
        echo "the download failed, try $try of $tries"
        sleep $((try * 2))
    done
    debs=()
    while read -r _ file _; do debs+=("$dest/cache/$file"); done <<<"$uris"
}

# Unpacks debs into root, in the layout with one /usr, whichever the suite has.
unpack() {
    local deb dir
    mkdir -p "$root"
    for deb in "${debs[@]}"; do dpkg-deb -x "$deb" "$root"; done
    for dir in bin sbin lib lib64; do
        mkdir -p "$root/usr/$dir"
        if [[ -d $root/$dir && ! -L $root/$dir ]]; then
            cp -a "$root/$dir/." "$root/usr/$dir/"
            rm -rf "${root:?}/$dir"
        fi
        ln -sfn "usr/$dir" "$root/$dir"
    done
    rm -rf "$root"/usr/share/{doc,man,locale,lintian,bash-completion}
    loaders=("$root"/usr/lib/*-linux-gnu*/ld-linux*.so.*)
    [[ ${#loaders[@]} -eq 1 ]] || fail "the unpacked libc6 has ${#loaders[@]} loaders"
    loader=${loaders[0]#"$root/"}
    libraries=${loader%/*}
}

# Checks that a program finds every library in root; none may come from the host.
check_libraries() {
    local list
    list=$("$root/$loader" --inhibit-cache --library-path "$root/$libraries${2:+:$root/$2}" --list "$root/$1") ||
        fail "$1 lacks libraries: $(grep 'not found' <<<"$list" || true)"
    list=$(grep '=> /' <<<"$list" | grep -vF "=> $root/" || true)
    [[ -z $list ]] || fail "$1 takes libraries from outside: $list"
}

# Writes the file $2 that runs the program $3 of root with the options that follow. They are words
# for the shell, in which $root is root; a leading "as-user" adds --user=root where run by root.
wrapper() {
    local file=$home/$1 program=$2 comment=$3 folder=$4
    shift 4
    check_libraries "$program" "$folder"
    {
        printf '#!/bin/sh\n# %s\n' "$comment"
        # shellcheck disable=SC2016 # for the wrapper's shell
        printf '%s\n' 'here=$(CDPATH="" cd -- "${0%/*}" && pwd -P) || exit 1' 'root=$here/root'
        if [[ ${1:-} = as-user ]]; then
            shift
            # shellcheck disable=SC2016
            printf '%s\n' '[ "$(id -u)" != 0 ] || set -- --user=root "$@"'
        fi
        printf 'exec "$root/%s" --inhibit-cache --argv0 "$root/%s" \\\n' "$loader" "$program"
        printf '    --library-path "$root/%s%s" "$root/%s" \\\n' "$libraries" "${folder:+:\$root/$folder}" "$program"
        printf '    "%s" \\\n' "$@"
        # shellcheck disable=SC2016
        printf '    "$@"\n'
    } >"$file"
    chmod 755 "$file"
}

# shellcheck disable=SC2016 # $root is for the wrappers' shell
make_mariadb() {
    local share=mysql prefix=mysql file
    [[ -e $root/usr/share/mysql/english/errmsg.sys ]] || share=mariadb
    [[ -e $root/usr/share/$share/mysql_system_tables.sql ]] || prefix=mariadb
    wrapper run usr/sbin/mariadbd "The server of $name; the caller adds --datadir, --port, --socket." '' as-user \
        --no-defaults '--basedir=$root/usr' "--lc-messages-dir=\$root/usr/share/$share" \
        "--character-sets-dir=\$root/usr/share/$share/charsets" '--plugin-dir=$root/usr/lib/mysql/plugin/' \
        --bind-address=127.0.0.1 --skip-log-bin --innodb-flush-log-at-trx-commit=0 --innodb-doublewrite=0 \
        --innodb-buffer-pool-size=64M --innodb-log-file-size=32M --performance-schema=OFF
    local common=(--no-defaults "--character-sets-dir=\$root/usr/share/$share/charsets"
        "--plugin-dir=\$root/$libraries/libmariadb3/plugin/")
    wrapper client usr/bin/mariadb "The command line client of $name." '' "${common[@]}"
    wrapper dump usr/bin/mariadb-dump "The dump program of $name." '' "${common[@]}"

    # What mariadb-install-db does, which insists on its own paths.
    mkdir "$data"
    {
        # A statement per line: that is what --bootstrap reads.
        printf '%s\n' 'CREATE DATABASE mysql;' 'USE mysql;' 'SET @auth_root_socket=NULL;'
        for file in ${prefix}_system_tables ${prefix}_performance_tables ${prefix}_system_tables_data \
            maria_add_gis_sp_bootstrap ${prefix}_sys_schema; do
            cat "$root/usr/share/$share/$file.sql"
            echo
        done
        printf '%s\n' 'USE mysql;' \
            "DELETE FROM global_priv WHERE User='' OR User='root' AND Host<>'localhost';" \
            "UPDATE global_priv SET Priv=JSON_SET(Priv, '\$.plugin', 'mysql_native_password', '\$.authentication_string', '') WHERE User='root';" \
            "DELETE FROM proxies_priv WHERE Host<>'localhost';" 'DELETE FROM db;'
    } | "$home/run" --datadir="$data" --bootstrap --enforce-storage-engine= --max-allowed-packet=8M --log-warnings=0
    [[ -e $data/mysql/global_priv.MAI && -d $data/sys ]] || fail "its data directory could not be made, see $log"
    rm -rf "$data/test"
}

# shellcheck disable=SC2016 # $root is for the wrappers' shell
make_mysql() {
    wrapper run usr/sbin/mysqld "The server of $name; the caller adds --datadir, --port, --socket." '' as-user \
        --no-defaults '--basedir=$root/usr' '--lc-messages-dir=$root/usr/share/mysql' \
        '--character-sets-dir=$root/usr/share/mysql/charsets' '--plugin-dir=$root/usr/lib/mysql/plugin/' \
        --secure-file-priv= --mysqlx=OFF --bind-address=127.0.0.1 --skip-log-bin \
        --innodb-flush-log-at-trx-commit=0 --innodb-doublewrite=0 --innodb-buffer-pool-size=64M \
        --performance-schema=OFF
    local common=(--no-defaults '--character-sets-dir=$root/usr/share/mysql/charsets'
        '--plugin-dir=$root/usr/lib/mysql/plugin/')
    wrapper client usr/bin/mysql "The command line client of $name." '' "${common[@]}"
    [[ ! -e $root/usr/bin/mysqldump ]] ||
        wrapper dump usr/bin/mysqldump "The dump program of $name." '' "${common[@]}"

    "$home/run" --datadir="$data" --initialize-insecure --innodb-redo-log-capacity=16M ||
        fail "its data directory could not be made, see $log"
    rm -f "$data/auto.cnf" # every copy gets a server UUID of its own
}

# shellcheck disable=SC2016 # $root is for the wrapper's shell
make_router() {
    local folder
    folder=$(cd "$root" && dirname "$(find usr/lib -name 'libmysqlrouter.so*' | sort | head -n1)")
    local plugins
    plugins=$(cd "$root" && dirname "$(find usr/lib -name 'routing.so')")
    wrapper run usr/bin/mysqlrouter 'MySQL Router; the caller adds --config and the like.' "$folder" \
        "--DEFAULT.plugin_folder=\$root/$plugins"
}

# Leaves of the server's tests only the authentication plugins, as $home/*.so.
make_plugins() {
    local file
    mkdir -p "$root"
    for file in auth.so auth_test_plugin.so dialog_examples.so; do
        dpkg-deb --fsys-tarfile "${debs[0]}" | tar -x -C "$root" "./usr/lib/mysql/plugin/$file" 2>/dev/null || true
    done
    mv "$root"/usr/lib/mysql/plugin/*.so "$home/" || fail "${packages[0]} has no authentication plugins"
    rm -rf "$root" "${debs[0]}"
}

# Puts in the place of each program of a test suite a script that runs it with root's loader and libraries: the suite's
# own runner starts them by their paths.
make_suite() {
    local file up
    while IFS= read -r file; do
        [[ $(head -c4 "$root/$file") = $'\x7fELF' ]] || continue
        mv "$root/$file" "$root/$file.elf"
        up=$(dirname "$file" | sed 's|[^/][^/]*|..|g')
        {
            # shellcheck disable=SC2016 # for the script's shell
            printf '%s\n' '#!/bin/sh' '# Runs the program beside it with its own libraries.' \
                'self=$(readlink -f -- "$0")' "root=\${self%/*}/$up"
            # shellcheck disable=SC2016
            printf 'exec "$root/%s" --inhibit-cache --argv0 "$self" --library-path "$root/%s" "$self.elf" "$@"\n' \
                "$loader" "$libraries"
        } >"$root/$file"
        chmod 755 "$root/$file"
    done < <(cd "$root" && find usr/bin usr/lib/mysql-test usr/share/*/*-test -type f -perm -1 ! -name '*.so*')
}

make_one() {
    local version
    say "$name: fetching (Debian $suite)"
    prepare_apt
    update_index
    version=$(apt-cache show --no-all-versions "${packages[0]}" | sed -n 's/^Version: //p') ||
        fail "Debian $suite has no package ${packages[0]} for this architecture"
    version=${version#*:}
    [[ $version = "$wanted"* ]] || fail "Debian $suite now has ${packages[0]} $version"
    [[ $name = *-plugins ]] || add_libraries
    download
    say "$name: unpacking ${#debs[@]} packages"
    rm -rf "$home"
    [[ $name = *-plugins ]] || unpack
    case $name in
        *-plugins) make_plugins ;;
        *-test-*) make_suite ;;
        perl-dbd) : ;;
        mariadb-*) make_mariadb ;;
        mysql-router) make_router ;;
        mysql-*) make_mysql ;;
    esac
    printf '%s\n' "$version" >"$home/ready.new"
    mv "$home/ready.new" "$home/ready"
    say "$name: $version is ready in $home"
}

names=("$@")
[[ $# -gt 0 ]] || names=(mariadb-10.11 mariadb-11.8 mysql-9.7)
missing=()
for name in "${names[@]}"; do
    recipe "$name" || {
        say "unknown server '$name'; see the top of this script"
        exit 2
    }
    [[ -e $dest/$name/ready ]] || missing+=("$name")
done
[[ ${#missing[@]} -gt 0 ]] || exit 0

mkdir -p "$dest/cache"
dest=$(cd "$dest" && pwd -P)
exec 9>"$dest/lock"
flock -n 9 || {
    say 'waiting for another run to end'
    flock 9
}
export LC_ALL=C
for tool in apt-get apt-cache apt-config dpkg dpkg-deb; do
    command -v "$tool" >/dev/null || missing_tool=$tool
done
mirror_list=()
[[ -n ${missing_tool:-} ]] || mapfile -t mirror_list < <(mirrors)

status=0
for name in "${missing[@]}"; do
    home=$dest/$name root=$home/root data=$home/datadir
    log=$dest/cache/$name.log reason=$dest/cache/$name.reason
    [[ ! -e $home/ready ]] || continue # another run has made it meanwhile
    recipe "$name"
    rm -f "$reason"
    set +e
    (
        set -e
        exec 3>&2 >"$log" 2>&1
        say() { printf 'servers: %s\n' "$*" >&3; }
        [[ -z ${missing_tool:-} ]] || fail "this machine has no $missing_tool"
        make_one
    )
    failed=$?
    set -e
    if ((failed)); then
        why=$(cat "$reason" 2>/dev/null || tail -n 3 "$log")
        say "$name could not be had: $why"
        [[ $name != mariadb-10.11 ]] || {
            say 'mariadb-10.11 is required'
            status=1
        }
    fi
done
exit "$status"
