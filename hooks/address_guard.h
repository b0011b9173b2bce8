/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses webhooks never go to: link-local ones and the metadata services of
 * clouds, also inside IPv6 forms that embed IPv4. In-cluster, private and
 * loopback addresses are fine: only the admin sets URLs.
 * Threads: plain functions.
 */
#pragma once

#include <stdbool.h>
#include <sys/socket.h>

bool address_is_forbidden(const struct sockaddr *sa);
