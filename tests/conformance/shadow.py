# SPDX-License-Identifier: Apache-2.0
"""A shadow of a built git tree: symbolic links, but some names are ours.

git's test library takes the parent of its working directory as the build, so
that a directory of links is a complete test bed. Replaced are the two servers,
`git` where it is told to be one of them, `test-tool serve-v2`, and the wrappers,
which have the build's path written into them.
"""

import shlex

# What a server is started with; {server} is a command that takes the service's
# name and its arguments.
SERVICE = """#!/bin/sh
exec {server} {service} "$@"
"""

GIT = """#!/bin/sh
# The two servers are looked for in what looks like them only.
case "$*" in
*upload-pack*|*receive-pack*) ;;
*) exec {tree}/git "$@" ;;
esac

command_of() {{
    while [ $# -gt 0 ]; do
        case $1 in
        -C|-c|--git-dir|--work-tree|--namespace|--config-env)
            shift
            [ $# -gt 0 ] && shift ;;
        -*) shift ;;
        *) echo "$1"; return ;;
        esac
    done
}}

case $(command_of "$@") in
upload-pack|receive-pack) ;;
*) exec {tree}/git "$@" ;;
esac

add_config() {{
    n=${{GIT_CONFIG_COUNT:-0}}
    key=${{1%%=*}} value=true
    [ "$key" = "$1" ] || value=${{1#*=}}
    eval "GIT_CONFIG_KEY_$n=\\$key GIT_CONFIG_VALUE_$n=\\$value"
    export "GIT_CONFIG_KEY_$n" "GIT_CONFIG_VALUE_$n"
    export GIT_CONFIG_COUNT=$((n + 1))
}}

while :; do
    case $1 in
    -C) cd "$2" || exit 128; shift 2 ;;
    -c) add_config "$2"; shift 2 ;;
    -*) shift ;;
    *) break ;;
    esac
done
exec {server} "$@"
"""

TEST_TOOL = """#!/bin/sh
case "$*" in
*serve-v2*) ;;
*) exec {tree}/t/helper/test-tool "$@" ;;
esac
while [ "$1" = -C ]; do
    cd "$2" || exit 128
    shift 2
done
[ "$1" = serve-v2 ] || exec {tree}/t/helper/test-tool "$@"
shift
case $1 in
--advertise-capabilities) set -- --http-backend-info-refs ;;
esac
export GIT_PROTOCOL=version=2
exec {server} upload-pack "$@" .
"""


def write_script(path, text):
    path.write_text(text)
    path.chmod(0o755)


def link_all(source, target, but):
    target.mkdir()
    for entry in source.iterdir():
        if entry.name not in but:
            (target / entry.name).symlink_to(entry)


def make_shadow(tree, target, server):
    """`server`: the words of a command that takes upload-pack or receive-pack
    as its next argument."""
    places = {"tree": shlex.quote(str(tree)), "server": shlex.join(server)}
    services = ("upload-pack", "receive-pack")
    link_all(tree, target, {"git", "bin-wrappers", "t", ".git",
                            *(f"git-{name}" for name in services)})
    link_all(tree / "t", target / "t", {"helper"})
    link_all(tree / "t/helper", target / "t/helper", {"test-tool"})
    for name in services:
        write_script(target / f"git-{name}",
                     SERVICE.format(service=name, **places))
    write_script(target / "git", GIT.format(**places))
    write_script(target / "t/helper/test-tool", TEST_TOOL.format(**places))
    (target / "bin-wrappers").mkdir()
    for wrapper in (tree / "bin-wrappers").iterdir():
        write_script(target / "bin-wrappers" / wrapper.name,
                     moved(wrapper.read_text(), target))


def moved(wrapper, target):
    """A wrapper, with its own build's path replaced by the shadow's."""
    for line in wrapper.splitlines():
        if line.startswith("GIT_EXEC_PATH="):
            built_in = shlex.split(line)[0].partition("=")[2]
            return wrapper.replace(built_in, str(target))
    raise ValueError("a wrapper without GIT_EXEC_PATH")
