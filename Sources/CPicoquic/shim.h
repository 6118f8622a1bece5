// What the Swift modules see of picoquic. The headers come from the installation that pkg-config names.
#ifndef MOQINGBIRD_CPICOQUIC_SHIM_H
#define MOQINGBIRD_CPICOQUIC_SHIM_H

#include <netinet/in.h>
#include <sys/socket.h>

#include <picoquic.h>
#include <picoquic_utils.h>
#include <picosocks.h>
#include <picoquic_packet_loop.h>
#include <picoquic_unified_log.h>
#include <picoquic_qlog.h>
#include <h3zero.h>
#include <h3zero_common.h>
#include <pico_webtransport.h>

#endif
