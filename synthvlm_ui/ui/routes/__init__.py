"""The app's own routes: pictures, scripts and JSON, one file per tab. They know the service; they decide nothing."""
