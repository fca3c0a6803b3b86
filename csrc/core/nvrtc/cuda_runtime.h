// Stands in for CUDA's header under NVRTC, which knows the language of a device without it.
#pragma once
