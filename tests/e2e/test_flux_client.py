# SPDX-License-Identifier: Apache-2.0
"""Flux's own git client, as the Go module in tests/flux drives it."""

from gomodule import GoModule

# Compiling the client in a cold cache is most of it.
PATIENCE = 600


def test_serves_the_git_client_of_flux():
    GoModule("flux").test(PATIENCE)
