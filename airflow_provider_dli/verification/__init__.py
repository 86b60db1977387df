"""From the place of an archive to a judged report on it.

``demands``: what is asked of an archive · ``waiting``: find it · ``verify``: read it, whatever happens on the
way · ``report``: what is known of it · ``judgement``: green or red · ``progress``: a line now and then.
"""
