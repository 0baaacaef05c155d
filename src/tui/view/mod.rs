//! One file a view. Each draws a scene into an area and claims the panes that it fills.
