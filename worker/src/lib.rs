//! Part of Larder.
