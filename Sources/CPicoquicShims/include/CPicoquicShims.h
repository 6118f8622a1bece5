// What Swift cannot import of picoquic: function-like macros, variadic functions, private fields.
#ifndef MOQINGBIRD_CPICOQUIC_SHIMS_H
#define MOQINGBIRD_CPICOQUIC_SHIMS_H

/// The version of picoquic that these shims were compiled against, as in its header ("1.1.53.0").
const char *cpq_compiled_version(void);

#endif
