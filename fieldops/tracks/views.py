"""The pages of tracks."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from flask import Blueprint, flash, redirect, render_template, request
from flask import url_for as url
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from fieldops import access, db
from fieldops.errors import FieldopsError
from fieldops.events.service import Actor
from fieldops.tracks import forms, service

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

    from fieldops.access import Person

tracks = Blueprint("tracks", __name__)


def _person() -> Person:
    person = access.current_person()
    assert person is not None  # noqa: S101 - the routes let nobody else through
    return person


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@tracks.get("/tracks")
@access.allow("dispatcher", "planner", "manager", "crew", menu=_l("Tracks"))
def list_tracks() -> ResponseReturnValue:
    """List the tracks; those of a crew alone see their own."""
    with db.transaction() as session:
        found = service.list_tracks(session, _person())
    return render_template("tracks/tracks.html", tracks=found)


@tracks.post("/tracks")
@access.allow("dispatcher", "planner", "manager", "crew")
def take_track() -> ResponseReturnValue:
    """Take a GPX file in."""
    request.max_content_length = forms.LARGEST_GPX_BYTES + 2**16
    sent = request.files.get("file")
    if sent is None or not sent.filename:
        raise FieldopsError("Choose a GPX file first.")
    client_id, parts = forms.read_gpx(sent.read(), sent.filename)
    with db.transaction() as session:
        track = service.keep_track(session, client_id, parts, Actor.of(_person()), _now())
    flash(_("The track is kept as %(track)s.", track=track.id), "done")
    return redirect(url("tracks.show_track", track_id=track.id))


@tracks.get("/tracks/<track_id>")
@access.allow("dispatcher", "planner", "manager", "crew")
def show_track(track_id: str) -> ResponseReturnValue:
    """Show where a track runs."""
    with db.transaction() as session:
        track, ways, pipes, valves = service.look_along(session, track_id, _person())
    return render_template(
        "tracks/track.html",
        track=track,
        picture=forms.draw_ways(ways, pipes, valves),
        has_network=bool(pipes),
        may_delete=service.may_delete(track, _person()),
    )


@tracks.post("/tracks/<track_id>/delete")
@access.allow("dispatcher", "planner", "manager", "crew")
def delete_track(track_id: str) -> ResponseReturnValue:
    """Forget a track."""
    with db.transaction() as session:
        track = service.delete_track(session, track_id, _person())
    flash(_("%(track)s is deleted.", track=track.id), "done")
    return redirect(url("tracks.list_tracks"))
