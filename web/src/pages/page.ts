/** The script of pages that are complete without one. */
import '../style/page.css';
import { switchTheme } from '../page/theme.ts';

switchTheme();
