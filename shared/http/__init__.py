"""HTTP that several services answer alike: routers to be mounted, knowing no service."""
