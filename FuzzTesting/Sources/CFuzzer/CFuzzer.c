// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

#include "CFuzzer.h"
