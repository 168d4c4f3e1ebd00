/* plugin.h: the CUDA backend, which is a shared object, opened at run time.
 */
#ifndef EXPCONV_PLUGIN_H
#define EXPCONV_PLUGIN_H

#include "expconv/backend.h"

/* Opens it and its GPU; both stay open until the process ends. XC_DEVICE with what is missing, and what to do, when
 * there is no shared object, no driver or no GPU. Thread safe; the answer of the first call stays. */
xc_status xc_plugin_open_cuda(const xc_backend **backend, xc_error *error);

#endif
