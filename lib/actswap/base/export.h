// Symbol visibility: the library is built with hidden visibility and exports what carries this
// mark.
#pragma once

#if defined(_WIN32)
#ifdef ACTSWAP_BUILDING
#define ACTSWAP_API __declspec(dllexport)
#else
#define ACTSWAP_API __declspec(dllimport)
#endif
#else
#define ACTSWAP_API __attribute__((visibility("default")))
#endif
