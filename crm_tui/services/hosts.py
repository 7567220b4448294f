"""What a host name tells: whose it is, and what part of it names its owner.

Three literal tables decide: pages on social networks and directories, pages made with a site
builder under the builder's own name, and free mail providers. None of these names a business, so
none of them counts as a website of its own or joins two leads.
"""

from __future__ import annotations

import re
from functools import lru_cache

from publicsuffixlist import PublicSuffixList

# Networks, directories, booking and delivery platforms, map links: a page there is somebody
# else's site. Also matched for every host below them ("m.facebook.com").
SOCIAL_HOSTS = frozenset(
    """
    facebook.com fb.com fb.me facbook.com m.me messenger.com instagram.com instagr.am threads.net
    linkedin.com lnkd.in x.com twitter.com t.co youtube.com youtu.be tiktok.com pinterest.com
    snapchat.com reddit.com tumblr.com vimeo.com medium.com github.com crunchbase.com flickr.com
    vk.com ok.ru xing.com whatsapp.com wa.me t.me telegram.me skype.com discord.gg discord.com
    linktr.ee linktree.com beacons.ai bio.link campsite.bio taplink.cc lnk.bio
    google.com goo.gl g.page g.co maps.app.goo.gl bing.com waze.com apple.com
    yelp.com yell.com yellowpages.com tripadvisor.com foursquare.com trustpilot.com bbb.org
    angi.com angieslist.com homeadvisor.com thumbtack.com houzz.com porch.com checkatrade.com
    trustatrader.com mybuilder.com nextdoor.com manta.com mapquest.com superpages.com
    booksy.com fresha.com treatwell.com treatwell.co.uk vagaro.com styleseat.com setmore.com
    simplybook.it simplybook.me mindbodyonline.com calendly.com schedulicity.com
    opentable.com resy.com thefork.com quandoo.com resos.com ubereats.com doordash.com
    grubhub.com deliveroo.co.uk just-eat.co.uk wolt.com foodpanda.com foody.com.cy
    airbnb.com booking.com expedia.com etsy.com ebay.com amazon.com flipsnack.com issuu.com
    """.split()
)

# Builders that give a page a name below their own.
SITE_BUILDER_HOSTS = frozenset(
    """
    business.site sites.google.com wixsite.com wix.com editorx.io weebly.com weeblysite.com
    square.site squarespace.com godaddysites.com wordpress.com blogspot.com blogger.com
    webnode.com webnode.page jimdosite.com jimdofree.com jimdo.com strikingly.com mystrikingly.com
    webflow.io carrd.co yolasite.com site123.me simplesite.com simdif.com ucraft.site zyrosite.com
    hostingersite.com webador.com ueniweb.com onepage.me tilda.ws myshopify.com shopify.com
    bigcartel.com ecwid.com company.site tripod.com angelfire.com netlify.app vercel.app
    github.io pages.dev web.app firebaseapp.com herokuapp.com glitch.me notion.site canva.site
    my.canva.site mailchimpsites.com eatbu.com toast.site toasttab.com edan.io b12sites.com
    durable.co dudaone.com multiscreensite.com homestead.com vistaprintdigital.com
    """.split()
)
_BUILDER_BY_COUNTRY = re.compile(r"(?:^|\.)(?:blogspot|webnode|jimdo)\.[a-z.]{2,6}\Z")

FREE_MAIL_DOMAINS = frozenset(
    """
    gmail.com googlemail.com yahoo.com yahoo.co.uk yahoo.de yahoo.fr yahoo.es yahoo.it yahoo.ca
    yahoo.com.au yahoo.co.in ymail.com rocketmail.com hotmail.com hotmail.co.uk hotmail.de
    hotmail.fr hotmail.es hotmail.it outlook.com outlook.de outlook.fr outlook.es live.com
    live.co.uk live.nl live.fr msn.com aol.com aim.com icloud.com me.com mac.com proton.me
    protonmail.com pm.me tutanota.com zoho.com mail.com email.com gmx.com gmx.de gmx.net gmx.at
    gmx.ch web.de freenet.de t-online.de arcor.de online.de posteo.de mailbox.org mail.ru
    yandex.ru yandex.com bk.ru inbox.ru list.ru qq.com 163.com 126.com naver.com
    comcast.net verizon.net att.net sbcglobal.net bellsouth.net cox.net charter.net
    spectrum.net rr.com nycap.rr.com twc.com optonline.net optimum.net frontier.com
    frontiernet.net windstream.net earthlink.net juno.com netzero.net epix.net roadrunner.com
    rogers.com shaw.ca bell.net sympatico.ca telus.net videotron.ca btinternet.com btconnect.com
    sky.com talktalk.net virginmedia.com ntlworld.com blueyonder.co.uk orange.fr wanadoo.fr free.fr
    sfr.fr laposte.net neuf.fr libero.it virgilio.it alice.it tin.it tiscali.it telefonica.net
    terra.es ziggo.nl kpnmail.nl planet.nl hetnet.nl xs4all.nl home.nl telenet.be skynet.be
    proximus.be bluewin.ch aon.at chello.at wp.pl o2.pl onet.pl interia.pl seznam.cz centrum.cz
    abv.bg bigpond.com bigpond.net.au optusnet.com.au xtra.co.nz cytanet.com.cy cablenet.com.cy
    primehome.com spidernet.com.cy otenet.gr forthnet.gr hol.gr uol.com.br bol.com.br terra.com.br
    """.split()
)

# Reserved endings (RFC 2606). Lists made anonymous keep a real domain and append one.
_RESERVED = frozenset({"example", "test", "invalid"})


def under(host: str, names: frozenset[str]) -> bool:
    """Whether a host is one of `names` or lies below one."""
    while True:
        if host in names:
            return True
        _, dot, host = host.partition(".")
        if not dot:
            return False


def without_reserved_ending(host: str) -> str:
    """The real domain before a reserved ending ("gmail.com.example"); else the host as it is."""
    stem, _, ending = host.rpartition(".")
    return stem if ending in _RESERVED and "." in stem else host


@lru_cache(maxsize=4096)
def is_social_host(host: str) -> bool:
    """Whether pages of this host belong to a network, directory or platform."""
    host = without_reserved_ending(host)
    return under(host, SOCIAL_HOSTS) and not under(host, SITE_BUILDER_HOSTS)


@lru_cache(maxsize=4096)
def is_site_builder_host(host: str) -> bool:
    """Whether the host is a name given by a site builder."""
    host = without_reserved_ending(host)
    return under(host, SITE_BUILDER_HOSTS) or _BUILDER_BY_COUNTRY.search(host) is not None


@lru_cache(maxsize=4096)
def is_free_mail(domain: str) -> bool:
    """Whether anybody can have an address at this domain."""
    return under(without_reserved_ending(domain), FREE_MAIL_DOMAINS)


@lru_cache(maxsize=4096)
def registrable_domain(host: str) -> str:
    """The part of a host its owner registered: "acme.co.uk" of "shop.acme.co.uk".

    An IP address or a public suffix itself is returned as it is. Follows the public suffix list
    (publicsuffix.org), its part of the registries.
    """
    if host.rpartition(".")[2].isdigit():
        return host
    stem = without_reserved_ending(host)
    own = _public_suffixes().privatesuffix(stem)
    return own + host[len(stem) :] if own else ".".join(host.split(".")[-2:])


@lru_cache(maxsize=1)
def _public_suffixes() -> PublicSuffixList:
    return PublicSuffixList(only_icann=True, accept_unknown=False)
